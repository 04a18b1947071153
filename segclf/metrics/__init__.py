"""segclf.metrics."""
