"""The reader of plain pictures: one image a file, of nothing but pixels."""

from segclf.data.headers import is_raster
from segclf.data.rasters import read_raster, read_raster_header, read_raster_mask
from segclf.hookspecs import ImageData, ImageHeader, ReadPath

__all__ = ["RasterReader"]


class RasterReader:
    """Reads PNG, JPEG, TIFF, BMP, WebP and PNM, told apart by their first bytes alone.

    Gray and RGB come in the file's own type; of masks the ids as stored.
    """

    def sniff(self, start: bytes) -> bool:
        """Tell PNG, JPEG and WebP; the two letters of BMP and PNM tell nothing."""
        return is_raster(start)

    def read_header(self, path: ReadPath) -> ImageHeader:
        """Read the header alone."""
        header = read_raster_header(path)  # type: ignore[arg-type]
        return ImageHeader(header.height, header.width, header.n_channels, header.dtype)

    def read(self, path: ReadPath) -> ImageData:
        """Read an image (h, w, c)."""
        return ImageData(read_raster(path), "hwc")  # type: ignore[arg-type]

    def read_mask(self, path: ReadPath) -> ImageData:
        """Read a mask (h, w)."""
        return ImageData(read_raster_mask(path), "hw")  # type: ignore[arg-type]
