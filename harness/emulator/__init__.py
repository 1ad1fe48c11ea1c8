"""Three ways to have a LocalStack (embedded, external; a container later), and the stack that is deployed to it."""
