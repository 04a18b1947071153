"""One plugin of each kind for segclf.

This module is what the entry point names. It holds strings only: the classes, and whatever heavy
libraries they need, are imported when somebody uses them.
"""

from segclf.hookspecs import hookimpl

__all__ = [
    "segclf_pseudo_labelers",
    "segclf_readers",
    "segclf_summarizers",
    "segclf_thresholders",
]


@hookimpl
def segclf_thresholders() -> dict[str, str]:
    """Offer thresholders."""
    return {"outlier": "segclf_example.outlier:OutlierThresholder"}


@hookimpl
def segclf_pseudo_labelers() -> dict[str, str]:
    """Offer pseudo-labelers."""
    return {"nearest_color": "segclf_example.nearest_color:NearestColorLabeler"}


@hookimpl
def segclf_readers() -> dict[str, tuple[str, list[str]]]:
    """Offer readers, with the suffixes of their files."""
    return {"npy": ("segclf_example.npy:NpyReader", [".npy"])}


@hookimpl
def segclf_summarizers() -> dict[str, str]:
    """Offer summarizers."""
    return {"area_logistic": "segclf_example.area_logistic:AreaLogisticSummarizer"}
