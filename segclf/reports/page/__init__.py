"""A report of a classifier: one HTML file that shows its numbers and its images."""

from segclf.reports.page._report import report

__all__ = ["report"]
