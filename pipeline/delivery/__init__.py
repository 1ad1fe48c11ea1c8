"""What every system needs to lose nothing: dead-letter envelope, alert, retrying writes, metrics."""
