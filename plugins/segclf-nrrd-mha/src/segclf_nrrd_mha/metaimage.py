"""MetaImage, the format of ITK: ``.mha``, or ``.mhd`` with the data in another file."""

import os

import numpy as np

from segclf.hookspecs import ImageData, ImageHeader, ReadPath
from segclf_nrrd_mha.volume_file import VolumeFile, data_beside, numbers, read_text

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Old names, and names used by other programs.
ALIASES = {
    "rotation": "transformmatrix",
    "orientation": "transformmatrix",
    "position": "offset",
    "origin": "offset",
    "elementbyteordermsb": "binarydatabyteordermsb",
}
TO_RIGHT_AND_FRONT = np.diag([-1.0, -1.0, 1.0])  # ITK's axes point to the left and the back
END = rb"(?i)ElementDataFile[ \t]*=[^\n]*\n"


class MetaImageReader:
    """Reads images and volumes, raw or compressed by zlib."""

    def sniff(self, start: bytes) -> bool:
        """Recognize the format by its first field."""
        return start.startswith((b"ObjectType", b"NDims"))

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read size, type, spacing and affine."""
        return _opened(path).header()

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c) or a volume (d, h, w, c)."""
        return _opened(path).read()

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read ids (h, w) or (d, h, w)."""
        return _opened(path).read_mask()


def _opened(path: ReadPath) -> VolumeFile:
    path = os.fspath(path)
    text, length = read_text(path, END)
    fields = _fields(text)
    n_axes = numbers(fields.get("ndims", ""), int, "NDims")[0]
    if n_axes not in (2, 3):
        raise ValueError(f"it has {n_axes} axes; expected 2 or 3")
    shape = _of_axes(fields, "DimSize", n_axes, int)
    if _true(fields, "binarydata", default="true") is False:
        raise ValueError("its values are text; expected binary ones")
    name = fields.get("elementdatafile", "")
    local = name.upper() in ("LOCAL", "LOCAL_DATA")
    if not name or name.upper().startswith("LIST") or "%" in name:
        raise ValueError(f"its data are {name[:40]!r}; expected LOCAL, or one file")
    spacing = _spacing(fields, n_axes)
    return VolumeFile(
        data=path if local else data_beside(path, name),
        offset=_offset(fields, length if local else 0),
        compressed=bool(_true(fields, "compresseddata")),
        stored=_type(fields),
        shape=tuple(shape),
        n_channels=numbers(fields.get("elementnumberofchannels", "1"), int, "channels")[0],
        affine=_affine(fields, spacing) if n_axes == 3 else None,
        spacing=tuple(spacing),
    )


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a header by lowercase name."""
    fields = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if line.strip() and not separator:
            raise ValueError("it is not a MetaImage header: a line has no '='")
        name = name.strip().lower()
        fields[ALIASES.get(name, name)] = value.strip()
    return fields


def _type(fields: dict[str, str]) -> np.dtype:
    name = fields.get("elementtype", "").upper().removesuffix("_ARRAY")
    if name not in TYPES:
        raise ValueError(f"its type is {name[:40]!r}; expected one of {', '.join(TYPES)}")
    big = _true(fields, "binarydatabyteordermsb")
    return np.dtype(TYPES[name]).newbyteorder(">" if big else "<")


def _true(fields: dict[str, str], name: str, default: str = "false") -> bool:
    return fields.get(name, default).lower() in ("true", "1", "t")


def _of_axes(fields: dict[str, str], name: str, n_axes: int, kind: type) -> list:
    found = numbers(fields.get(name.lower(), ""), kind, name)
    if len(found) != n_axes:
        raise ValueError(f"its field {name!r} holds {len(found)} numbers for {n_axes} axes")
    return found


def _spacing(fields: dict[str, str], n_axes: int) -> list[float]:
    name = "ElementSpacing" if "elementspacing" in fields else "ElementSize"
    if name.lower() not in fields:
        return [1.0] * n_axes
    spacing = _of_axes(fields, name, n_axes, float)
    if min(spacing) <= 0:
        raise ValueError(f"its spacing is {spacing}; expected lengths above 0")
    return spacing


def _affine(fields: dict[str, str], spacing: list[float]) -> np.ndarray:
    identity = "1 0 0 0 1 0 0 0 1"
    matrix = numbers(fields.get("transformmatrix", identity), float, "TransformMatrix")
    origin = numbers(fields.get("offset", "0 0 0"), float, "Offset")
    if len(matrix) != 9 or len(origin) != 3:
        raise ValueError("its TransformMatrix or Offset is not for 3 axes")
    affine = np.eye(4)
    directions = np.reshape(matrix, (3, 3)).T  # each row in the file is the direction of an axis
    affine[:3, :3] = TO_RIGHT_AND_FRONT @ directions * spacing
    affine[:3, 3] = TO_RIGHT_AND_FRONT @ origin
    return affine


def _offset(fields: dict[str, str], length: int) -> int | None:
    """Return the offset of the values; None if they are at the end of the file (HeaderSize -1)."""
    size = numbers(fields.get("headersize", "0"), int, "HeaderSize")[0]
    if size == -1:
        return None
    if size < 0:
        raise ValueError(f"its HeaderSize is {size}; expected -1 or more")
    return size or length
