"""IAM: which calls AWS would deny. LocalStack lets every call through."""
