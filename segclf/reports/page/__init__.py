"""A report of a classifier as one HTML file, with scores and images."""

from segclf.reports.page._report import report

__all__ = ["report"]
