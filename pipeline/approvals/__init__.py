"""Approvals: price lists that a person must approve before they are loaded."""
