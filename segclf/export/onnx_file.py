"""Estimators as ONNX graphs, which any runtime computes without segclf, torch or scikit-learn."""

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

    The graph takes ``images`` (n, h, w, c), any number of them, as arrays hold them, and does all
    that the estimator does: it reads the range of integers as 0 to 1, resizes, normalizes, pads,
    asks the networks, brings maps to the images' size, and summarizes them into labels. It gives
    what there is of

    - ``probabilities`` (n, n_classes) float32: what `predict_proba` of a classifier gives;
    - ``mask_probabilities`` (n, n_ids, h, w) float32 and ``masks`` uint8, (n, h, w) of ids or
      (n, k, h, w) of 0 and 1: what `predict_mask_proba` and `predict_masks` of a classifier, or
      `predict_proba` and `predict` of a segmenter give;
    - ``embeddings`` (n, d) float32 of a `PretrainedEncoder` or a pretrainer.

    It computes in float32, whatever the estimator's `precision`. Before it is written, it is run
    on images of noise, in several sizes, and compared with the estimator's own networks.

    Parameters
    ----------
    estimator : estimator
        A fitted segmenter, `SegmentationClassifier`, `ImageClassifier`, `MultitaskClassifier`,
        `PretrainedEncoder` or pretrainer, or a search for one.
    path : path
        The file; one that exists is replaced, whole or not at all. Its name usually ends in
        ``.onnx``.
    image_size : int, (int, int) or None
        Height and width of all images that the graph will be given, in pixels. None leaves them
        free, also where the estimator brings images to one size, which the graph then does.
    dtype : str, numpy.dtype or None
        Type of the images: "uint8" and "uint16" are read as 0 to 1, others as they are. None is
        the type that `fit` saw.

    Raises
    ------
    ImportError
        Where onnx, onnxscript or onnxruntime is missing: ``pip install 'segclf[onnx]'``.
    OSError
        When the file cannot be written. What was there before is as it was.
    RuntimeError
        When the graph does not give what the estimator does; nothing is written.
    TypeError
        For another estimator, or a part of it that no graph expresses, by its name.
    ValueError
        For a setting that no graph expresses, such as `tile_size` or a `post_processing`, and for a
        network whose layers depend on the images' size, where that is free.

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
            f"{module} is needed, and is not installed: pip install 'segclf[onnx]'"
        ) from error


def _converted(graph: ImageGraph, program: Any) -> Any:
    """Return the model, without what tells of the machine that made it."""
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
    """Remove the lines of code, with paths of this machine, that a node comes from."""
    del node.metadata_props[:]
    node.doc_string = ""
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _forget_places(inner)


def _name_axes(graph: Any) -> None:
    """Call axes n, h and w that torch numbers."""
    axes = graph.input[0].type.tensor_type.shape.dim
    names = {axis.dim_param: n for axis, n in zip(axes, "nhw", strict=False) if axis.dim_param}
    for value in (*graph.input, *graph.output):
        for axis in value.type.tensor_type.shape.dim:
            axis.dim_param = names.get(axis.dim_param, axis.dim_param)
