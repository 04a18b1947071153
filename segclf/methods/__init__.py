"""segclf.methods."""
