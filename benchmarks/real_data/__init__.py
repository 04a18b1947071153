"""Segmentation against classification on real images."""
