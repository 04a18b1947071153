"""segclf.datasets."""
