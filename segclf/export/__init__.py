"""Estimators as graphs, for prediction elsewhere: ONNX for any runtime, and torch's own."""

from segclf.export.onnx_file import export_onnx
from segclf.export.torch_file import export_torch

__all__ = ["export_onnx", "export_torch"]
