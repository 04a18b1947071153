"""One plugin of each kind for segclf.

The entry point names this module. It holds only strings: the classes, and the heavy libraries that
they need, are imported when they are used.
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
