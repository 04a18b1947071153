"""Damaged files of volumes: NIfTI and DICOM, each times kinds of damage."""

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RLELossless,
)

from benchmarks.hostile import images
from benchmarks.hostile.worker import Case
from segclf.data import load_header, load_image

SHAPE = (6, 40, 48)
_KINDS = ("cut", "bit", "bits", "zeros", "noise", "insert", "delete", "swap", "random", "no file")
# Of bytes without a checksum: a change of them makes another volume.
_CHANGES = ("bit", "bits", "zeros", "noise", "insert", "delete", "swap", "sizes", "types")
# Within a NIfTI header.
_DIM, _TYPE, _OFFSET = 40, 70, 108
_TAGS = {
    "rows": b"\x28\x00\x10\x00US\x02\x00",
    "columns": b"\x28\x00\x11\x00US\x02\x00",
    "allocated": b"\x28\x00\x00\x01US\x02\x00",
    "samples": b"\x28\x00\x02\x00US\x02\x00",
}


def prepare(folder: Path) -> dict[str, bytes]:
    """Encode one volume, smooth with noise, in every form; of DICOM also one slice."""
    rng = np.random.default_rng(0)
    z, y, x = np.ix_(*map(np.arange, SHAPE))
    volume = (20 * z + 7 * y + 3 * x + rng.integers(0, 40, SHAPE)).astype(np.int16)
    nifti, floats = _nifti(volume), _nifti(volume.astype(np.float32) / 7)
    return {
        "nii-int16": nifti,
        "nii-float": floats,
        "nii.gz-int16": gzip.compress(nifti, mtime=0),
        "nii.gz-float": gzip.compress(floats, mtime=0),
        "dcm-slice": _dicom(volume[0], CTImageStorage),
        "dcm-frames": _dicom(volume, MultiFrameGrayscaleWordSecondaryCaptureImageStorage),
        "dcm-rle": _dicom(volume[0], CTImageStorage, RLELossless),
        "dcm-j2k": _dicom(volume[0], CTImageStorage, JPEG2000Lossless),
        "dcm-jls": _dicom(volume[0], CTImageStorage, JPEGLSLossless),
    }


def make(honest: dict[str, bytes], folder: Path, number: int, rng: np.random.Generator) -> Case:
    names = list(honest)
    name = names[number % len(names)]
    kind, content = "honest", honest[name]
    if number >= 0:
        kind = list(DAMAGE)[number // len(names) % len(DAMAGE)]
        content = DAMAGE[kind](honest[name], rng, name)
    path = folder / f"volume.{name.partition('-')[0]}"
    images._put(path, content)
    return Case(f"{name} {kind}", path.name, (name, kind))


def run(honest: dict[str, bytes], folder: Path, case: Case) -> str:
    name, kind = case.more
    path = folder / case.name
    load_header(path)
    given = load_image(path)
    (folder / "right").mkdir()
    whole = folder / "right" / case.name
    whole.write_bytes(honest[name])
    expected = load_image(whole)
    if np.array_equal(given.array, expected.array) and given.spacing == expected.spacing:
        return "accepted"
    checked = name.startswith("nii.gz") and kind not in ("sizes", "types")
    return "documented" if kind in _CHANGES and not checked else "wrong"


def _nifti(volume: Any) -> bytes:
    image = nibabel.Nifti1Image(volume.T, np.diag([-0.7, -0.7, 2.5, 1.0]))
    return bytes(image.to_bytes())


def _dicom(array: Any, kind: str, syntax: str | None = None) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = kind, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))  # type: ignore[arg-type]
    data.SOPClassUID, data.SOPInstanceUID = kind, "1.2.3.4"
    data.SeriesInstanceUID, data.Modality, data.InstanceNumber = "1.2.3", "CT", 1
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    data.PixelSpacing, data.RescaleSlope, data.RescaleIntercept = [0.7, 0.7], 1, -1024
    data.Rows, data.Columns = array.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    if array.shape != array.shape[-2:]:
        data.NumberOfFrames = len(array)
    data.PixelData = array.tobytes()
    data["PixelData"].VR = "OW"
    if syntax is not None:
        data.compress(syntax, generate_instance_uid=False)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _of_header(change: Any) -> Any:
    """Return a damage of the header; what is packed is packed again, with its checksum."""

    def damage(data: bytes, rng: np.random.Generator, name: str) -> bytes:
        if name.startswith("nii.gz"):
            return gzip.compress(change(gzip.decompress(data), rng, name), mtime=0)
        return change(data, rng, name)

    return damage


@_of_header
def _sizes(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Say other numbers of voxels, from none to very many."""
    number = int(rng.choice([0, 1, 41, 47, 4000, 30_000, 32_767, 65_535]))
    if name.startswith("nii"):
        start = _DIM + 2 * int(rng.integers(0, 8))
        return data[:start] + struct.pack("<H", number) + data[start + 2 :]
    if b"IS" in data and rng.integers(2) and name == "dcm-frames":
        return data.replace(b"IS\x02\x006 ", b"IS\x02\x00" + b"%2d" % rng.choice([0, 1, 7, 99]))
    return _with_tag(data, ("rows", "columns")[rng.integers(2)], number)


@_of_header
def _types(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Say other types of voxels, or where they begin."""
    if name.startswith("nii"):
        start, form = [(_TYPE, "<h"), (_TYPE + 2, "<h"), (_OFFSET, "<f")][rng.integers(3)]
        number = rng.choice([0, 2, 4, 8, 16, 64, 256, 768, 1792, 2304, -352, 10_000])
        packed = struct.pack(form, number)
        return data[:start] + packed + data[start + len(packed) :]
    number = int(rng.choice([0, 1, 3, 8, 12, 32, 64, 255]))
    return _with_tag(data, ("allocated", "samples")[rng.integers(2)], number)


def _with_tag(data: bytes, tag: str, number: int) -> bytes:
    start = data.find(_TAGS[tag]) + len(_TAGS[tag])
    return data[:start] + struct.pack("<H", number) + data[start + 2 :]


def _bomb(data: bytes, rng: np.random.Generator, name: str) -> bytes:
    """Pack 200 MB of zeros behind the voxels; others get a megabyte behind their end."""
    if not name.startswith("nii.gz"):
        return data + bytes(10**6)
    return data + gzip.compress(bytes(200_000_000), 1, mtime=0)


DAMAGE: dict[str, Any] = {
    **{kind: images.DAMAGE[kind] for kind in _KINDS},
    "sizes": _sizes,
    "types": _types,
    "bomb": _bomb,
}
