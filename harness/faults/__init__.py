"""What is broken on purpose: the plan as data, and the client that arms it."""
