"""Batches, epoch by epoch, in an order that is a pure function of (seed, epoch)."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from segclf.axes import N_SPATIAL
from segclf.data.augmentation import Augment
from segclf.data.crop_reader import CropReader
from segclf.data.crops import RandomCrops
from segclf.data.memory_order import channels_last, is_channels_last
from segclf.data.samplers import Indices, ShuffledSampler
from segclf.data.samples import Batch, Samples
from segclf.distributed import gathered, share_of

PRELOADED_BYTES = 2**29
_CROPS, _PASTE = 2**16, 2**17  # beyond the number of any view
T = TypeVar("T")
R = TypeVar("R")


class Loader:
    """Batches of samples.

    Samples that fit into 512 MB as tensors are read once. Others are read anew in each epoch, one
    batch ahead, in the background.

    Parameters
    ----------
    samples : Samples
        What to sample from.
    batch_size : int
        Maximum number of images in a batch.
    seed : int
        Decides the order and the augmentation.
    augmentation : callable, optional
        Called as ``augmentation(image, mask, generator)``.
    shuffle : bool
        Whether the sampler of the samples chooses the batches; it is a `ShuffledSampler` unless
        they have another. Otherwise samples keep their order.
    views : sequence of callable
        Adds "view_0", "view_1", ... to each batch, (n, c, h_i, w_i). Each is computed from "image"
        (after `augmentation`) by its callable, called as ``views[i](image, None, generator)``. The
        random numbers of a view depend only on (seed, epoch, i).
    crops : callable, optional
        Called before `augmentation` as ``crops(batch, generator)``, such as a `RandomCrops`. For
        volumes, a `RandomCrops` decides which parts of them are read.
    paste : callable, optional
        Called after `augmentation` as ``paste(batch, generator)``, such as a `CopyPaste`.

    Attributes
    ----------
    samples : Samples
        All of them.
    everything : dict of Tensor or None
        All of them as one batch, if that fits in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.data import Loader, Samples, as_images
    >>> samples = Samples(images=as_images(np.zeros((5, 16, 16, 3), np.uint8)), size=(16, 16))
    >>> loader = Loader(samples, batch_size=2, seed=0)
    >>> len(loader), [batch["image"].shape[0] for batch in loader.epoch(0)]
    (3, [2, 2, 1])
    """

    def __init__(
        self,
        samples: Samples,
        *,
        batch_size: int,
        seed: int,
        augmentation: Augment | None = None,
        shuffle: bool = True,
        views: Sequence[Augment] = (),
        crops: Callable[[Batch, torch.Generator], Batch] | None = None,
        paste: Callable[[Batch, torch.Generator], Batch] | None = None,
    ) -> None:
        self.samples = samples
        self._seed = seed
        self._augmentation = augmentation
        self._views = tuple(views)
        self._crops = crops
        self._paste = paste
        self.batch_size = batch_size
        chosen = samples.sampler if shuffle else None
        self._sampler = chosen or ShuffledSampler(len(samples), shuffle)
        self.everything: Batch | None = None
        self._reader: CropReader | None = None
        if isinstance(crops, RandomCrops) and samples.images.n_spatial != N_SPATIAL:
            self._reader, self._crops = CropReader(samples, crops), None
        elif samples.nbytes() <= PRELOADED_BYTES:
            self.everything = samples.batch(np.arange(len(samples)))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._order(0))

    def fingerprint(self) -> tuple[int, ...]:
        """Return a value that equal samples share: their number, and sums over some of them."""
        some = self.samples.batch(np.array([0, len(self.samples) // 2, len(self.samples) - 1]))
        said = [each for each in (self.samples.labels, self.samples.targets) if each is not None]
        sums = [zlib.crc32(each.numpy().tobytes()) for each in some.values()]
        return len(self.samples), *sums, *(zlib.crc32(each.tobytes()) for each in said)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of that epoch."""
        generator = _generator(self._seed, epoch)
        of_crops, of_paste = (_generator(self._seed, epoch, each) for each in (_CROPS, _PASTE))
        of_views = [_generator(self._seed, epoch, 1 + i) for i in range(len(self._views))]
        for batch in self._read(self._order(epoch), of_crops):
            batch = batch if self._crops is None else self._crops(batch, of_crops)
            if self._augmentation is not None:
                mask = batch.get("mask")
                batch["image"], mask = self._augmentation(batch["image"], mask, generator)
                if mask is not None:
                    batch["mask"] = mask
            batch = batch if self._paste is None else self._paste(batch, of_paste)
            for i, (view, of_view) in enumerate(zip(self._views, of_views, strict=True)):
                image, _ = view(batch["image"], None, of_view)
                batch[f"view_{i}"] = channels_last(image)
            yield batch

    def _order(self, epoch: int) -> list[Indices]:
        return self._sampler.batches(self.batch_size, self._seed, epoch)

    def _read(self, groups: Iterable[Indices], of_crops: torch.Generator) -> Iterator[Batch]:
        if self._reader is not None:
            yield from one_ahead(partial(self._reader.batch, generator=of_crops), groups)
            return
        if self.everything is None:
            yield from self._read_files(list(groups))
            return
        for group in groups:
            rows = torch.from_numpy(group)
            yield {name: _rows(values, rows) for name, values in self.everything.items()}

    def _read_files(self, groups: list[Indices]) -> Iterator[Batch]:
        """Read ahead; each of several processes reads its share of the images."""
        own = (group[share_of(len(group)).rows] for group in groups)
        for group, batch in zip(groups, one_ahead(self.samples.batch, own), strict=True):
            yield {name: gathered(values, len(group)) for name, values in batch.items()}


def one_ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield ``function(item)`` for each item, computing the next while the caller is busy."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = None
        for item in items:
            following = pool.submit(function, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def _rows(values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Select rows in memory order, in a third of the time of ``values[indices]``."""
    if is_channels_last(values):
        return values.movedim(1, -1).index_select(0, indices).movedim(-1, 1)
    return values.index_select(0, indices)


def _generator(*entropy: int) -> torch.Generator:
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1
    return torch.Generator().manual_seed(int(seed))
