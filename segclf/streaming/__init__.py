"""Predict any number of images, as a stream from files to files."""

from segclf.streaming.found_images import open_images
from segclf.streaming.prediction import Summary, predict_files
from segclf.streaming.shards import Shard

__all__ = ["Shard", "Summary", "open_images", "predict_files"]
