"""segclf.displays."""
