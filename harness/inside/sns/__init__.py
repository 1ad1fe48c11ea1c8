"""SNS: FIFO topics."""
