"""Readers of files that need an extra, and what writes such files."""

from segclf_plugins.readers.dicom import DicomReader
from segclf_plugins.readers.nifti import NiftiReader, write_nifti_mask

__all__ = ["DicomReader", "NiftiReader", "write_nifti_mask"]
