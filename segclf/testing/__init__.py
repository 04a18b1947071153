"""Conformance checks for authors of segmenters and plugins."""

from segclf.testing.plugins import check_plugin, plugin_checks
from segclf.testing.segmenters import check_segmenter, segmenter_checks

__all__ = ["check_plugin", "check_segmenter", "plugin_checks", "segmenter_checks"]
