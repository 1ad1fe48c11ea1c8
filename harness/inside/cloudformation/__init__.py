"""CloudFormation: custom resources."""
