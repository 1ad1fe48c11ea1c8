"""EventBridge: delivery to targets, EventBridge Scheduler, and EventBridge Pipes."""
