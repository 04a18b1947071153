"""segclf.networks."""
