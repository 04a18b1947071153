"""segclf.data."""
