"""pipeproof: runs a serverless AWS pipeline on one machine and accounts for every record."""

__version__ = "0.1.0"
