"""Measurements, each by one command from the root of a clone: ``python -m benchmarks.NAME``."""
