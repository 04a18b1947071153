"""Pictures of data and results: computed in ``from_*``, drawn by matplotlib in ``plot``."""

from segclf.displays.comparison_display import ComparisonDisplay
from segclf.displays.embedding_display import EmbeddingDisplay
from segclf.displays.error_map_display import ErrorMapDisplay
from segclf.displays.framing_display import FramingDisplay
from segclf.displays.history_display import HistoryDisplay
from segclf.displays.mask_display import MaskDisplay
from segclf.displays.saliency_display import SaliencyDisplay
from segclf.displays.summarizer_display import SummarizerDisplay

__all__ = [
    "ComparisonDisplay",
    "EmbeddingDisplay",
    "ErrorMapDisplay",
    "FramingDisplay",
    "HistoryDisplay",
    "MaskDisplay",
    "SaliencyDisplay",
    "SummarizerDisplay",
]
