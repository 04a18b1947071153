"""The two parts of a classification through masks, before they learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags

from segclf.base.seeding import seed_part
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.registry import make_plugin


def new_parts(
    segmenter: Any, summarizer: Any, random_state: Any, *, ensemble: bool
) -> tuple[Any, Any]:
    """Return clones of segmenter and summarizer, both seeded.

    Raises
    ------
    ValueError
        When the summarizer reads what the segmenter, or an ensemble of such, does not show.
    """
    segmenter = SupervisedSegmenter() if segmenter is None else clone(segmenter)
    summarizer = clone(make_plugin("summarizer", summarizer))
    layer = getattr(summarizer, "layer", None)
    if layer is not None and ensemble:
        raise ValueError(
            f"The summarizer reads the layer {layer!r} of one segmenter, but ensemble=True keeps "
            "several, whose layers say different things; expected ensemble=False, or a summarizer "
            "of masks."
        )
    if layer is not None and not hasattr(segmenter, "embed_batches"):
        raise ValueError(
            f"The summarizer reads the layer {layer!r} of the segmenter, which "
            f"{type(segmenter).__name__} does not show; expected a segmenter of segclf by itself, "
            "or a summarizer of masks."
        )
    if random_state is not None:
        random = check_random_state(random_state)
        for part in (segmenter, summarizer):
            seed_part(part, random.randint(np.iinfo(np.int32).max))
    return segmenter, summarizer


def rows_to_learn(summarizer: Any, target: NDArray[np.int64]) -> NDArray[np.intp]:
    """Choose all labeled images, or one of each class where masks teach nothing."""
    chosen = np.flatnonzero((target.reshape(len(target), -1) >= 0).all(1))
    if get_tags(summarizer).requires_fit:
        return chosen
    return np.sort(chosen[np.unique(target[chosen], axis=0, return_index=True)[1]])
