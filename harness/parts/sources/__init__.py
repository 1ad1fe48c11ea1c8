"""Sources: which records are offered."""
