"""Estimators as ONNX graphs, which other runtimes compute without segclf, torch or scikit-learn."""

import importlib
import os
from typing import Any

import torch
from sklearn.base import BaseEstimator

from segclf.data._atomic_write import atomic_write
from segclf.export.comparing import compare
from segclf.export.graph import ImageGraph, graph_of
from segclf.export.metadata import metadata


def export_onnx(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    dtype: Any = None,
) -> None:
    """Write a fitted estimator as an ONNX graph, from images to labels and masks.

    The graph takes ``images`` (n, h, w, c), any number of them, as stored in arrays, and does all
    that the estimator does: it scales the range of integers to 0 to 1, resizes, normalizes, pads,
    runs the networks, resizes maps to the images' size, and summarizes them into labels. Its
    outputs are, as far as the estimator has them,

    - ``probabilities`` (n, n_classes) float32: the output of a classifier's `predict_proba`;
    - ``mask_probabilities`` (n, n_ids, h, w) float32 and ``masks`` uint8, (n, h, w) of ids or
      (n, k, h, w) of 0 and 1: the outputs of a classifier's `predict_mask_proba` and
      `predict_masks`, or of a segmenter's `predict_proba` and `predict`;
    - ``embeddings`` (n, d) float32 of a `PretrainedEncoder` or a pretrainer.

    It computes in float32, whatever the estimator's `precision`. Before it is written, it is run
    on images of noise, in several sizes, and compared with the estimator's own networks.

    Parameters
    ----------
    estimator : estimator
        A fitted segmenter, `SegmentationClassifier`, `ImageClassifier`, `MultitaskClassifier`,
        `PretrainedEncoder` or pretrainer, or a search for one.
    path : path
        The file, usually named ``.onnx``. An existing file is replaced atomically.
    image_size : int, (int, int) or None
        Height and width of all images that the graph will get, in pixels. None allows any size,
        even if the estimator resizes images to one size: the graph then does so, too.
    dtype : str, numpy.dtype or None
        Type of the images: "uint8" and "uint16" are scaled to 0 to 1, others are read unchanged.
        None is the type that `fit` saw.

    Raises
    ------
    ImportError
        If onnx, onnxscript or onnxruntime is missing: ``pip install 'segclf[onnx]'``.
    OSError
        If the file cannot be written. An existing file stays unchanged.
    RuntimeError
        If the graph's outputs differ from the estimator's; nothing is written.
    TypeError
        For any other estimator, or a part of one that cannot be exported; the message names it.
    ValueError
        For a setting that cannot be exported, such as `tile_size` or `post_processing`, and for a
        network whose layers depend on the images' size if any size is allowed.

    See Also
    --------
    export_torch : The same for torch alone.
    save : For prediction by segclf.

    Examples
    --------
    >>> import segclf
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = segclf.ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> classifier = classifier.fit(shapes.images, shapes.target)
    >>> segclf.export_onnx(classifier, "classifier.onnx", image_size=32)  # doctest: +SKIP
    """
    onnx, runtime = _require("onnx"), _require("onnxruntime")
    _require("onnxscript")
    graph = graph_of(estimator, image_size, dtype)
    model = _converted(graph, graph.trace())
    onnx.helper.set_model_props(model, metadata(estimator, graph))
    content = model.SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = list(graph.names)
    compare(graph, lambda X: dict(zip(names, session.run(names, {"images": X}), strict=True)))
    atomic_write(path, content)


def _require(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is required but not installed: pip install 'segclf[onnx]'"
        ) from error


def _converted(graph: ImageGraph, program: Any) -> Any:
    """Return the model, without traces of the machine that made it."""
    names = list(graph.names)
    exported = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=["images"], output_names=names
    )
    assert exported is not None
    model = exported.model_proto
    model.producer_name, model.doc_string = "segclf", ""
    for part in (model.graph, *model.functions):
        del part.metadata_props[:]
        for node in part.node:
            _forget_places(node)
    _name_axes(model.graph)
    return model


def _forget_places(node: Any) -> None:
    """Remove a node's source lines, which hold paths of this machine."""
    del node.metadata_props[:]
    node.doc_string = ""
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _forget_places(inner)


def _name_axes(graph: Any) -> None:
    """Name the axes n, h and w, which torch numbers."""
    axes = graph.input[0].type.tensor_type.shape.dim
    names = {axis.dim_param: n for axis, n in zip(axes, "nhw", strict=False) if axis.dim_param}
    for value in (*graph.input, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            axis.dim_param = names.get(axis.dim_param, axis.dim_param)
