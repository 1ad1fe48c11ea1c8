"""DynamoDB: moto's tables one request at a time, and their streams."""
