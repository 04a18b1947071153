"""segclf.training."""
