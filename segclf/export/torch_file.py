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

    ``torch.export.load(path).module(check_guards=False)`` is a module that takes what the graph of
    `export_onnx` takes, as a tensor, and gives a dict of what that gives. It is what torch's own
    compilers start from. Its extra file "metadata.json" holds what the ONNX file says of itself.

    torch notes of a free size how tensors of the example lay in memory, and its guards refuse
    images where that differs; no result depends on it, which several sizes are tried for.

    Parameters
    ----------
    estimator, path, image_size, dtype
        As of `export_onnx`. The file's name usually ends in ``.pt2``.

    Raises
    ------
    OSError, RuntimeError, TypeError, ValueError
        As `export_onnx` does.

    See Also
    --------
    export_onnx : For other runtimes.
    """
    graph = graph_of(estimator, image_size, dtype)
    program = graph.trace()
    run = program.module(check_guards=False)
    compare(graph, lambda images: run(torch.from_numpy(images)))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of code, with paths of this machine
    file, said = io.BytesIO(), metadata(estimator, graph)
    torch.export.save(program, file, extra_files={_METADATA: json.dumps(said)})
    atomic_write(path, file.getvalue())
