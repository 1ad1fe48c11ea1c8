"""CloudWatch: percentiles and metric math."""
