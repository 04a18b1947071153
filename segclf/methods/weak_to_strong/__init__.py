"""A momentum teacher's sure pixels teach a student that sees less."""

from segclf.methods.weak_to_strong.segmenter import WeakToStrongSegmenter

__all__ = ["WeakToStrongSegmenter"]
