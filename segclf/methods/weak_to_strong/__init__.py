"""A student that sees strong views learns from the confident pixels of its momentum teacher."""

from segclf.methods.weak_to_strong.segmenter import WeakToStrongSegmenter

__all__ = ["WeakToStrongSegmenter"]
