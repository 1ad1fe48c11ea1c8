"""Step Functions: Distributed Maps, and what LocalStack's grammar does not know."""
