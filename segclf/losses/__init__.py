"""segclf.losses."""
