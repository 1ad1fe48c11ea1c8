"""The reconciler on Apache Spark."""
