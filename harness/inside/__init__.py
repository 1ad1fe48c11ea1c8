"""Code that runs inside LocalStack's process, loaded by its plugin system."""
