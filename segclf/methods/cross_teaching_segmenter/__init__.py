"""Cross teaching: a convolutional network and a transformer teach each other."""

from segclf.methods.cross_teaching_segmenter.segmenter import CrossTeachingSegmenter

__all__ = ["CrossTeachingSegmenter"]
