"""The stack: build the functions' packages, package the template, deploy and delete it."""
