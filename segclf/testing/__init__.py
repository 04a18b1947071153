"""Conformance checks for authors of segmenters, pretrainers and plugins."""

from segclf.testing.plugins import check_plugin, plugin_checks
from segclf.testing.pretrainers import check_pretrainer, pretrainer_checks
from segclf.testing.readers import check_reader
from segclf.testing.segmenters import check_segmenter, segmenter_checks

__all__ = [
    "check_plugin",
    "check_pretrainer",
    "check_reader",
    "check_segmenter",
    "plugin_checks",
    "pretrainer_checks",
    "segmenter_checks",
]
