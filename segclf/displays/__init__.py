"""Pictures of data and results: computed in ``from_*``, drawn by matplotlib in ``plot``."""

from segclf.displays.comparison_display import ComparisonDisplay
from segclf.displays.history_display import HistoryDisplay
from segclf.displays.mask_display import MaskDisplay

__all__ = ["ComparisonDisplay", "HistoryDisplay", "MaskDisplay"]
