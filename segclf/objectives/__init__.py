"""segclf.objectives."""
