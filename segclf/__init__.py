"""Classify images through their segmentation."""
