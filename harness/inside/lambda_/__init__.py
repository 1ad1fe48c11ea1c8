"""Lambda: one process per execution environment, on the real Runtime API."""
