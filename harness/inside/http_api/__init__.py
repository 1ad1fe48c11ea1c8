"""HTTP APIs, API Gateway's second version: which LocalStack's free edition has not.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""
