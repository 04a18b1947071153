"""Decide from a pilot set whether masks are worth labeling."""

from segclf.reports.framing.pilot import framing_report
from segclf.reports.framing.result import FramingReport

__all__ = ["FramingReport", "framing_report"]
