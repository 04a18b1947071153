"""Learning from few masks."""
