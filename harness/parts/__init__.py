"""Parts of scenarios: sources, ingress, actors, probes and checks, each in a file of its kind's name."""
