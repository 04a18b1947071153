"""Modules that compute what estimators predict, and errors for what cannot be exported."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from segclf.axes import N_SPATIAL
from segclf.base import ImageTransformer, NetworkClassifier, Segmenter, SegmenterEnsemble
from segclf.base.spatial import n_spatial
from segclf.data import MaskCleaner
from segclf.data.resize import Size
from segclf.export.answers import (
    Asked,
    Embeddings,
    Labels,
    LabelsAndMasks,
    Maps,
    Masks,
    MeanMaps,
)
from segclf.export.through_masks import ThroughMasks
from segclf.methods.multitask_classifier import MultitaskClassifier
from segclf.methods.segmentation import SegmentationClassifier

_EXPECTED = (
    "a fitted segmenter, SegmentationClassifier, ImageClassifier, MultitaskClassifier or "
    "PretrainedEncoder, or a search for one"
)


def found(estimator: Any) -> Any:
    """Return the estimator that predicts: inside a search, a FrozenEstimator or another one."""
    for name in ("best_estimator_", "_segmenter"):
        if hasattr(estimator, name):
            return found(getattr(estimator, name))
    if type(estimator).__name__ == "FrozenEstimator":
        return found(estimator.estimator)
    return estimator


def answer_of(estimator: BaseEstimator, size: Size | None) -> nn.Module:
    """Return the module that computes what a fitted estimator predicts.

    Parameters
    ----------
    estimator : estimator
        As `found` returns it.
    size : (int, int) or None
        Height and width of all images; None for images of any size.

    Raises
    ------
    TypeError
        For an estimator without a network of images.
    ValueError
        For a setting that cannot be expressed in a graph.
    """
    check_is_fitted(estimator)
    if n_spatial(estimator) != N_SPATIAL:
        raise TypeError(
            f"{type(estimator).__name__} reads volumes, which cannot be exported; export its "
            "segmenter_, which reads their slices."
        )
    if isinstance(estimator, SegmentationClassifier):
        segmenter = found(estimator.segmenter_)
        masks = answered_by_masks(segmenter, size)
        return ThroughMasks(estimator, masks.maps, multilabel=segmenter.multilabel_, size=size)
    if isinstance(estimator, MultitaskClassifier):
        asked = _asked(estimator, size)
        maps = Maps(asked, estimator._activate, asked.network.segmentation)
        masks = Masks(maps, multilabel=estimator._multilabel)
        return LabelsAndMasks(Labels(asked, estimator._activate_labels), masks)
    if isinstance(estimator, NetworkClassifier):
        return Labels(_asked(estimator, size), estimator._activate_labels)
    if isinstance(estimator, ImageTransformer):
        return Embeddings(_asked(estimator, size))
    return answered_by_masks(estimator, size)


def answered_by_masks(segmenter: Any, size: Size | None) -> Masks:
    """Return the module that computes a segmenter's masks."""
    _refuse_cleaning(segmenter)
    return Masks(maps_of(segmenter, size), multilabel=segmenter.multilabel_)


def maps_of(segmenter: Any, size: Size | None) -> nn.Module:
    """Return the module that computes a segmenter's maps."""
    segmenter = found(segmenter)
    if isinstance(segmenter, SegmenterEnsemble):
        return MeanMaps([maps_of(each, size) for each in segmenter.segmenters_])
    if not isinstance(segmenter, Segmenter):
        raise TypeError(f"{type(segmenter).__name__} cannot be exported; expected {_EXPECTED}.")
    _refuse_tiles(segmenter, segmenter.image_size_ or size)
    asked = _asked(segmenter, size)
    return Maps(asked, segmenter._activate, asked.network)


def _asked(holder: Any, size: Size | None) -> Asked:
    flips = getattr(holder, "test_time_flips", None)
    if flips == "quarter_turns" and (holder.image_size_ or size) is None:
        raise ValueError(
            "test_time_flips='quarter_turns' depends on whether images are square, which a graph "
            "for images of any size cannot know. Pass image_size=(h, w) to the export, or set "
            "test_time_flips='both'."
        )
    return Asked(holder)


def _refuse_tiles(segmenter: Segmenter, seen: Size | None) -> None:
    tile_size = segmenter.tile_size
    if tile_size is not None and (seen is None or np.any(np.array(seen) > tile_size)):
        given = "any size" if seen is None else f"{seen[0]} x {seen[1]} pixels"
        raise ValueError(
            f"tile_size={tile_size} cuts large images into tiles, which a graph for images of "
            f"{given} cannot do. Set tile_size=None, or pass the size of the tiles to the export, "
            f"image_size={tile_size}, and cut images into tiles before."
        )


def _refuse_cleaning(segmenter: Any) -> None:
    while isinstance(segmenter := found(segmenter), SegmenterEnsemble):
        segmenter = segmenter.segmenters_[0]
    cleaning = getattr(segmenter, "post_processing", None)
    components = isinstance(cleaning, MaskCleaner)
    if cleaning is None or (components and not _cleans(cleaning)):
        return
    what = "needs connected components" if components else "is a Python function"
    raise ValueError(
        f"post_processing={cleaning!r:.80} {what}, which graphs do not have. Set "
        "post_processing=None, and clean the masks that the graph returns; probabilities and "
        "labels do not change."
    )


def _cleans(cleaner: MaskCleaner) -> bool:
    return bool(cleaner.fill_holes or cleaner.min_size or cleaner.largest)
