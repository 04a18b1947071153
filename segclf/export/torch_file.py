"""Estimators as programs of ``torch.export``, which torch runs without segclf."""

import io
import json
import os
from typing import Any

import torch
from sklearn.base import BaseEstimator

from segclf.data._atomic_write import atomic_write
from segclf.export.comparing import compare
from segclf.export.graph import graph_of
from segclf.export.metadata import metadata

_METADATA = "metadata.json"


def export_torch(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    dtype: Any = None,
) -> None:
    """Write a fitted estimator as a program of ``torch.export``, for torch without segclf.

    ``torch.export.load(path).module(check_guards=False)`` is a module that takes the input of
    `export_onnx`'s graph as a tensor, and returns its outputs as a dict. torch's own compilers
    start from such a program. Its extra file "metadata.json" holds the metadata of the ONNX file.

    If the size is free, torch's guards refuse images whose tensors have another memory layout than
    the example. No result depends on that, which is checked with several sizes.

    Parameters
    ----------
    estimator, path, image_size, dtype
        As in `export_onnx`. The file is usually named ``.pt2``.

    Raises
    ------
    OSError, RuntimeError, TypeError, ValueError
        As in `export_onnx`.

    See Also
    --------
    export_onnx : For other runtimes.

    Examples
    --------
    >>> import torch
    >>> from segclf import ImageClassifier, export_torch
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> export_torch(classifier.fit(shapes.images, shapes.target), "classifier.pt2", image_size=32)
    >>> module = torch.export.load("classifier.pt2").module(check_guards=False)
    >>> module(torch.from_numpy(shapes.images))["probabilities"].shape
    torch.Size([8, 2])
    """
    graph = graph_of(estimator, image_size, dtype)
    program = graph.trace()
    run = program.module(check_guards=False)
    compare(graph, lambda images: run(torch.from_numpy(images)))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # source lines, with paths of this machine
    file, said = io.BytesIO(), metadata(estimator, graph)
    torch.export.save(program, file, extra_files={_METADATA: json.dumps(said)})
    atomic_write(path, file.getvalue())
