"""The metadata of a graph: classes, preprocessing, weights and their licences."""

import json
from typing import Any

import segclf
from segclf.export.answering import found
from segclf.export.graph import ImageGraph, holders

__all__ = ["metadata"]


def metadata(estimator: Any, graph: ImageGraph) -> dict[str, str]:
    """Return the entries of a graph's metadata, as plain words or JSON.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    graph : ImageGraph
        Its graph.

    Returns
    -------
    dict of str to str
        "segclf", the version; "estimator"; "classes" and "negative_class" of labels; "mask_ids" or
        "mask_channels" of masks; "images" and "preprocessing"; "weights" and "notice" for
        pretrained weights.
    """
    answering, read = found(estimator), holders(estimator)
    entries: dict[str, Any] = {
        "segclf": segclf.__version__,
        "estimator": type(estimator).__name__,
        "images": _images(graph, read[0]),
        "preprocessing": [_preprocessing(each, graph) for each in read],
        **_classes(answering),
    }
    weights = [each.weights_ for each in read if getattr(each, "weights_", None)]
    if weights:
        entries["weights"] = weights
        notices = {one["notice"] for each in weights for one in _plain(each) if one.get("notice")}
        entries |= {"notice": "\n\n".join(sorted(notices))} if notices else {}
    return {name: v if isinstance(v, str) else _json(v) for name, v in entries.items()}


def _images(graph: ImageGraph, holder: Any) -> dict[str, Any]:
    size = graph.images.size or ("h", "w")
    scale = getattr(holder, "image_scale_", None)
    shape = ["n", *size, graph.images.n_channels]
    return {"dtype": graph.images.dtype, "shape": shape, "fitted_on": scale}


def _preprocessing(holder: Any, graph: ImageGraph) -> dict[str, Any]:
    """Describe what the graph does to images before the network sees them."""
    parts = [each for each in holder.network_.modules() if hasattr(each, "set_statistics")]
    first = parts[0] if parts else None
    return {
        "divided_by": graph.top,
        "resized_to": holder.image_size_,
        "mean": None if first is None else first.mean.tolist(),
        "std": None if first is None else first.std.tolist(),
    }


def _classes(estimator: Any) -> dict[str, Any]:
    """Describe the columns of labels and the ids of masks."""
    entries: dict[str, Any] = {}
    segmenter = getattr(estimator, "segmenter_", estimator)
    if hasattr(estimator, "_multilabel"):
        entries["classes"] = estimator.classes_.tolist()
        if hasattr(estimator, "negative_class_"):
            entries["negative_class"] = estimator.negative_class_
    if hasattr(found(segmenter), "multilabel_"):
        kind = "mask_channels" if found(segmenter).multilabel_ else "mask_ids"
        entries[kind] = list(range(found(segmenter).n_classes_))
    elif hasattr(estimator, "n_mask_classes_"):
        kind = "mask_channels" if estimator._multilabel else "mask_ids"
        entries[kind] = list(range(estimator.n_mask_classes_))
    return entries


def _plain(weights: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the weights' description of one encoder, or of each of two."""
    values = list(weights.values())
    return values if values and all(isinstance(each, dict) for each in values) else [weights]


def _json(value: Any) -> str:
    return json.dumps(value, default=_as_plain)


def _as_plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
