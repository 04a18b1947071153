"""Estimators as graphs, for prediction elsewhere: ONNX for any runtime, and torch's own."""

from segclf.export.expressing import as_module, refuse
from segclf.export.onnx_file import export_onnx
from segclf.export.resizing import resized
from segclf.export.torch_file import export_torch

__all__ = ["as_module", "export_onnx", "export_torch", "refuse", "resized"]
