"""Paint the objects of a scene, image by image, on a reused canvas."""

from math import ceil
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segclf.datasets.colors import COLORS
from segclf.datasets.scene import Objects, Scene
from segclf.datasets.stamps import solid, stamp

Array = NDArray[Any]
_Brush = tuple[np.uint32, list[Array]]


class Painter:
    """Converts rows of uniform random numbers to images and masks of a scene.

    A canvas pixel is one 32-bit word: red, green, blue and a fourth byte that marks the target.
    The canvas has a margin of the largest radius, so that objects at the edge need no clipping:
    their pixels have fixed offsets from their centre.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.margin = max(ceil(max(role.radii)) for role in _roles(scene))
        self.flat = scene.depths is None
        sides = scene.size if scene.depths is None else (scene.depths[1], *scene.size)
        self.canvas = np.zeros([side + 2 * self.margin for side in sides], dtype=np.uint32)
        self.strides = np.array(self.canvas.strides) // self.canvas.itemsize
        self.gray = _word(COLORS["gray"])
        self.target = self._brushes(scene.target, marked=True)
        self.spurious = self._brushes(scene.spurious)
        self.background = self._brushes(scene.background)

    @property
    def n_random(self) -> int:
        """Number of random numbers for one image, regardless of its content."""
        n_objects = 2 + self.scene.n_objects
        return 2 + 4 * n_objects if self.flat else 3 + 5 * n_objects

    def depth(self, uniform: Array) -> int:
        """Return the number of slices of a volume, from the last of its random numbers."""
        assert self.scene.depths is not None
        low, high = self.scene.depths
        return low + int(uniform[-1] * (high - low + 1))

    def paint(self, uniform: Array, image: Array, mask: Array) -> tuple[bool, bool]:
        """Fill image (h, w, 3) and mask (h, w) from (n_random,); return target and spurious.

        For volumes, fill (d, h, w) and a mask (d, h, w).
        """
        scene, depth = self.scene, None if self.flat else len(image)
        rows = uniform[2 : None if self.flat else -1].reshape(2 + scene.n_objects, -1)
        positive = bool(uniform[0] < scene.positive_fraction)
        match = bool(uniform[1] < scene.spurious_correlation)
        spurious = positive == match
        self.canvas.fill(self.gray)
        self._place(scene.spurious, self.spurious, rows[1 : 1 + spurious], depth)
        n_background = scene.n_objects - positive - spurious
        self._place(scene.background, self.background, rows[2 : 2 + n_background], depth)
        self._place(scene.target, self.target, rows[: int(positive)], depth)
        self._develop(image, mask)
        return positive, spurious

    def _place(
        self, role: Objects, brushes: list[_Brush], uniform: Array, depth: int | None
    ) -> None:
        kinds, radii, *centre = role.sample(uniform, depth)  # x, y, z
        strides = self.strides[::-1].tolist()
        centres = sum((s + self.margin) * n for s, n in zip(centre, strides, strict=True))
        pixels = self.canvas.reshape(-1)
        placed = zip(kinds.tolist(), radii.tolist(), centres.tolist(), strict=True)
        for kind, radius, centre in placed:
            color, steps = brushes[kind]
            pixels[steps[radius] + centre] = color

    def _develop(self, image: Array, mask: Array) -> None:
        window = self.canvas[tuple(slice(self.margin, self.margin + n) for n in mask.shape)]
        channels = window[..., None].view(np.uint8)
        if self.flat:
            cv2.mixChannels([channels], [image, mask], [0, 0, 1, 1, 2, 2, 3, 3])
        else:
            image[...], mask[...] = channels[..., 0], channels[..., 3]

    def _brushes(self, role: Objects, *, marked: bool = False) -> list[_Brush]:
        draw = stamp if self.flat else solid
        return [
            (_word(color, marked=marked), [self._steps(draw(shape, r)) for r in role.radii])
            for color, shape in role.kinds
        ]

    def _steps(self, shape: Array) -> Array:
        return (np.argwhere(shape) - shape.shape[0] // 2) @ self.strides


def _roles(scene: Scene) -> tuple[Objects, ...]:
    return scene.target, scene.spurious, scene.background


def _word(color: tuple[int, int, int], *, marked: bool = False) -> np.uint32:
    return np.array([*color, marked], dtype=np.uint8).view(np.uint32)[0]
