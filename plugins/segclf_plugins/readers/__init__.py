"""Readers and writers of file formats that need an extra."""

from segclf_plugins.readers.dicom import DicomReader
from segclf_plugins.readers.dicom_seg import read_dicom_seg
from segclf_plugins.readers.dicom_seg_writer import write_dicom_seg
from segclf_plugins.readers.nifti import NiftiReader, write_nifti_mask
from segclf_plugins.readers.tiff import TiffReader

__all__ = [
    "DicomReader",
    "NiftiReader",
    "TiffReader",
    "read_dicom_seg",
    "write_dicom_seg",
    "write_nifti_mask",
]
