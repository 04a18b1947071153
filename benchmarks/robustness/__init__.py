"""Spurious correlations."""
