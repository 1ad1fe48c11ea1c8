"""The fault gateway: armed plans, the AWS calls they meet, and the log of what fired."""
