"""CloudWatch Logs: filter patterns, and what subscriptions send."""
