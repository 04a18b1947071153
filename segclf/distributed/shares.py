"""Split the images of a batch over processes, and reassemble the results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from segclf.axes import are_maps
from segclf.distributed.group import explained, n_processes, rank
from segclf.isolation import rows_of_batch


class Share(NamedTuple):
    """The images of a batch that this process computes.

    Attributes
    ----------
    n_images : int
        Number of images in the batch.
    start, stop : int
        The images of this process, from the first to the one after the last.
    """

    n_images: int
    start: int
    stop: int

    @property
    def rows(self) -> slice:
        """The positions of the images in the batch."""
        return slice(self.start, self.stop)

    @property
    def length(self) -> int:
        """The number of images."""
        return self.stop - self.start


_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


def own_share() -> Share | None:
    """Return which images of the batch are computed here; None if all of them are.

    Examples
    --------
    >>> from segclf.distributed import own_share
    >>> own_share()
    """
    return _SHARE.get()


def whole_batch(n_images: int) -> Share:
    """Return the size of the whole batch, and the share of it computed here.

    Examples
    --------
    >>> from segclf.distributed import whole_batch
    >>> whole_batch(8)
    Share(n_images=8, start=0, stop=8)
    """
    return _SHARE.get() or Share(n_images, 0, n_images)


def in_shares(function: Callable[..., Any], *batch: Tensor) -> Any:
    """Compute ``function(*batch)`` for a share of the images in each process; return all results.

    If there are fewer images than processes, or inside another call of `in_shares`, it is a plain
    call.

    Parameters
    ----------
    function : callable
        From tensors (n, ...) to a tensor (n, ...), or nested lists and tuples of such. An image
        must not affect another one except through batch normalization.
    *batch : Tensor of shape (n, ...)
        The same in every process.

    Returns
    -------
    Any
        The result of the function. Its gradients are those of the process's own images, too large
        by the number of processes; `average_gradients` corrects both.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import in_shares
    >>> in_shares(torch.nn.ReLU(), torch.tensor([[-1.0], [2.0]]))
    tensor([[0.],
            [2.]])
    """
    if n_processes() == 1 or own_share() is not None or not _is_split(len(batch[0])):
        return function(*batch)  # its graphs allow any number of images
    n_images = len(batch[0])
    share = share_of(n_images)
    with _within(share):
        own = function(*(_own(each, share) for each in batch))
    return gathered(own, n_images)


def share_of(n_images: int) -> Share:
    """Return this process's share of n images: all, if there are too few to split.

    Examples
    --------
    >>> from segclf.distributed import share_of
    >>> share_of(8)
    Share(n_images=8, start=0, stop=8)
    """
    return _share(n_images, rank()) if _is_split(n_images) else Share(n_images, 0, n_images)


def gathered(own: Any, n_images: int) -> Any:
    """Return the results of all images from those of each share; tensors or nested lists.

    Parameters
    ----------
    own : Tensor, or nested lists of such
        Results of the images of this process.
    n_images : int
        Number of images in the batch.

    Examples
    --------
    >>> import torch
    >>> from segclf.distributed import gathered
    >>> gathered(torch.arange(3), 3)
    tensor([0, 1, 2])
    """
    if own is None or not _is_split(n_images):
        return own
    if isinstance(own, Tensor):
        return _Gathered.apply(own, n_images)
    return type(own)(gathered(each, n_images) for each in own)


@contextmanager
def _within(share: Share) -> Iterator[None]:
    token = _SHARE.set(share)
    try:
        with rows_of_batch(share.n_images, share.rows):
            yield
    finally:
        _SHARE.reset(token)


def _own(values: Tensor, share: Share) -> Tensor:
    if not (values.requires_grad and torch.is_grad_enabled()):
        return values[share.rows]
    own: Tensor = _Own.apply(values, share)
    return own


def _is_split(n_images: int) -> bool:
    return 1 < n_processes() <= n_images


def _share(n_images: int, of: int) -> Share:
    """Split a batch as evenly as possible, in its order."""
    bounds = [n_images * each // n_processes() for each in (of, of + 1)]
    return Share(n_images, *bounds)


class _Gathered(torch.autograd.Function):
    """The rows of all images; each process uses only the gradients of its own."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, n_images: int) -> Tensor:
        ctx.rows = share_of(n_images).rows
        return _gather(own.detach(), n_images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.rows] * n_processes(), None


class _Own(torch.autograd.Function):
    """The process's own rows, with gradients for all processes; the inverse of `_Gathered`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, share: Share) -> Tensor:
        ctx.n_images = share.n_images
        return values.detach()[share.rows]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _gather(gradients[0], ctx.n_images) / n_processes(), None


def _gather(own: Tensor, n_images: int) -> Tensor:
    """Return all rows, in the memory order of the process's own."""
    lengths = [_share(n_images, each).length for each in range(n_processes())]
    last = are_maps(own) and own.stride(1) == 1  # channels
    own = own.movedim(1, -1) if last else own
    padded = own.new_zeros((max(lengths), *own.shape[1:]))
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in lengths]
    with explained():
        dist.all_gather(parts, padded)
    rows = torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])
    return rows.movedim(-1, 1) if last else rows
