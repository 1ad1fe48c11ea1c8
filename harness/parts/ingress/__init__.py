"""Ingress: how records are handed over."""
