"""Whether to label masks at all: what a pilot set says."""

from segclf.reports.framing.pilot import framing_report
from segclf.reports.framing.result import FramingReport

__all__ = ["FramingReport", "framing_report"]
