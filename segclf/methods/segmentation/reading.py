"""What a summarizer reads: maps of masks or of a layer, and features inside findings."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, has_fit_parameter

from segclf.base import CalibratedSummarizer
from segclf.base.maps import Maps
from segclf.methods.segmentation.inside import pooled_inside
from segclf.methods.segmentation.kept_segmenter import KeptSegmenter, blocks, in_order
from segclf.networks import encoded_once
from segclf.progress import counted

LAYER = "local"


class Reading(NamedTuple):
    """Maps of n images, and the features inside their findings.

    Parameters
    ----------
    maps : array (n, k, h, w) or list of n arrays (k, h, w)
        Probabilities of findings, or of a layer.
    inside : array of shape (n, d) or None
        The encoder's features inside the findings, for a summarizer whose `fit` takes them.
    """

    maps: Maps
    inside: NDArray[np.float32] | None = None

    @property
    def named(self) -> dict[str, Any]:
        """Keyword arguments for the summarizer."""
        return {} if self.inside is None else {"inside": self.inside}


Readings = Iterator[tuple[NDArray[np.intp], Reading]]


def read(
    kept: KeptSegmenter, memory: Any, X: Any, summarizer: Any, findings: slice, inside: bool
) -> Readings:
    """Yield (indices, reading) for some images at a time.

    Parameters
    ----------
    kept : KeptSegmenter
        Predicts the maps.
    memory : Memory or None
        Where predictions are kept and looked up.
    X : array, list, paths or tensor
        The images.
    summarizer : classifier
        If it has a ``layer``, that layer of the segmenter is read.
    findings : slice
        Which mask ids or channels decide the label.
    inside : bool
        Whether to also read the encoder's features inside findings, if the segmenter provides them.
    """
    if not (inside and kept.shows_layers):
        layer = getattr(summarizer, "layer", None)
        for indices, maps in kept.predict(memory, X, layer=layer, channels=findings):
            yield indices, Reading(maps)
        return
    n_images = _num_samples(X)
    parts = blocks(X, kept.block)
    for rows in counted(parts, "prediction", total=n_images, unit="images", size=len):
        part = _safe_indexing(X, rows)
        with encoded_once():
            maps, features = (
                in_order(kept.predict(memory, part, layer=layer, channels=findings), len(rows))
                for layer in (None, LAYER)
            )
        yield rows, Reading(maps, pooled_inside(maps, features))


def with_inside(reading: Reading, segmenter: Any, X: Any) -> Reading:
    """Return the maps of images together with a segmenter's features inside the findings."""
    features = in_order(segmenter.embed_batches(X, LAYER), len(reading.maps))
    return Reading(reading.maps, pooled_inside(reading.maps, features))


def reads_a_layer(summarizer: Any) -> bool:
    """Tell whether a summarizer reads a layer instead of the maps of masks."""
    return getattr(summarizer, "layer", None) is not None


def hears_inside(summarizer: Any) -> bool:
    """Tell whether a summarizer takes the encoder's features inside findings."""
    if isinstance(summarizer, CalibratedSummarizer):
        summarizer = summarizer.estimator
    return has_fit_parameter(summarizer, "inside")


def whole(batches: Readings, n_images: int) -> Reading:
    """Return the readings of all images, in order."""
    inside: list[Any] = [None] * n_images

    def maps() -> Iterator[tuple[NDArray[np.intp], Maps]]:
        for indices, reading in batches:
            if reading.inside is not None:
                for index, vector in zip(indices, reading.inside, strict=True):
                    inside[index] = vector
            yield indices, reading.maps

    stacked = in_order(maps(), n_images)
    return Reading(stacked, None if inside[0] is None else np.stack(inside))
