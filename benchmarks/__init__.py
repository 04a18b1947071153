"""Benchmarks; run each from the root of a clone by ``python -m benchmarks.NAME``."""
