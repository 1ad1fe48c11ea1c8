"""Senders: each hands records to one kind of first hop and brings back its answers."""
