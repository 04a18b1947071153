"""Pretraining on images alone."""
