"""What goes in: generators, recorded files, malformers, rate shapes, senders."""
