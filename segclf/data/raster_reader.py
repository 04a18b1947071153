"""The reader of plain pictures: one image per file, without metadata."""

from __future__ import annotations

import os

from segclf.data._atomic_write import atomic_write
from segclf.data.headers import is_raster
from segclf.data.raster_writer import encode_raster
from segclf.data.rasters import read_raster, read_raster_header, read_raster_mask
from segclf.hookspecs import ImageData, ImageHeader, ReadPath, WritePath

__all__ = ["RasterReader"]


class RasterReader:
    """Reads PNG, JPEG, TIFF, BMP, WebP and PNM, identified by their first bytes.

    Gray and RGB have the file's own type; masks have the ids as stored. Writes PNG and TIFF.
    """

    def sniff(self, start: bytes) -> bool:
        """Tell PNG, JPEG and WebP; the two letters of BMP and PNM are not enough."""
        return is_raster(start)

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read only the header."""
        header = read_raster_header(path)  # type: ignore[arg-type]
        return ImageHeader(header.height, header.width, header.n_channels, header.dtype)

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c)."""
        return ImageData(read_raster(path), "hwc")  # type: ignore[arg-type]

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read a mask (h, w)."""
        return ImageData(read_raster_mask(path), "hw")  # type: ignore[arg-type]

    def write(self, path: WritePath, image: ImageData) -> None:
        """Write an image (h, w, c), gray or RGB, as PNG or TIFF."""
        if image.axes not in ("hwc", "hw"):
            raise ValueError(
                f"{str(os.fspath(path))!r} can hold one picture (h, w), but this is an array of "
                f"{tuple(image.axes)}, of shape {image.array.shape}."
            )
        suffix = os.path.splitext(os.fspath(path))[1].lower()
        atomic_write(path, encode_raster(image.array, suffix))

    def write_mask(self, path: WritePath, mask: ImageData, like: WritePath | None) -> None:
        """Write ids (h, w)."""
        self.write(path, mask)
