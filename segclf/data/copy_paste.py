"""Copy-paste of findings, and of healthy patches of the same shapes, within a batch.

Ghiasi et al., "Simple copy-paste is a strong data augmentation method for instance segmentation",
CVPR 2021. There, objects are pasted onto images of many objects. Here, most of an image is
background, and an edge that only findings have would give them away. So each shape is pasted with
healthy content as often as with its finding, and only the content tells them apart.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segclf.axes import are_multilabel
from segclf.data.samples import Batch


@dataclass(frozen=True, kw_only=True)
class CopyPaste:
    """Paste a patch into some of the images of a batch, and its mask into theirs.

    A patch has the shape and position of all findings of an image of the batch. It shows that image
    or, as often, one whose mask is 0 all over that shape. A shape without such an image in the
    batch is not pasted, so that findings and healthy patches are equally frequent. Patches come
    from the original images. Images without any labeled pixel receive none, and images of weight 0
    provide none.

    Parameters
    ----------
    probability : float
        Probability that an image receives a patch, if the batch has any for it.

    Examples
    --------
    >>> batch = {"image": torch.arange(3.0).reshape(3, 1, 1, 1).expand(3, 1, 1, 4)}
    >>> batch["mask"] = torch.tensor([[[0, 0, 0, 1]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]])
    >>> pasted = CopyPaste(probability=1.0)(batch, torch.Generator().manual_seed(0))
    >>> pasted["image"][1].tolist(), pasted["mask"][1].tolist()
    ([[[1.0, 1.0, 1.0, 0.0]]], [[0, 0, 0, 1]])
    """

    probability: float

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Paste into images and masks alike.

        Labels that a patch may make wrong become -1, "unlabeled".

        Parameters
        ----------
        batch : dict of Tensor
            From `Samples.batch`; it is not modified.
        generator : torch.Generator
            Source of all random numbers; their number does not depend on the content of the batch.

        Returns
        -------
        dict of Tensor
        """
        chances = torch.rand((len(batch["image"]), 4), generator=generator, dtype=torch.float64)
        if "mask" not in batch:
            return batch
        mask = batch["mask"]
        shapes, patches = _shapes(batch), _patches(batch)
        labeled = (mask >= 0).reshape(len(mask), -1).any(dim=1)
        pasted = {name: batch[name].clone() for name in _CHANGED & batch.keys()}
        for row, (happens, *chance) in enumerate(chances.tolist()):
            patch = _patch(patches, row, *chance)
            if happens < self.probability and labeled[row] and patch is not None:
                shape, source = patch
                for name in ("image", "mask"):
                    values = batch[name]
                    pasted[name][row] = values[source].where(shapes[shape], values[row])
                if "label" in batch:
                    label = batch["label"][row]
                    pasted["label"][row] = label.where((label == 0) & (shape != source), -1)
        return {**batch, **pasted}


_CHANGED = {"image", "mask", "label"}


def _shapes(batch: Batch) -> Tensor:
    """Tell which pixels of each mask show any finding, (n, h, w)."""
    mask = batch["mask"]
    return (mask > 0).any(dim=1) if _has_channels(batch) else mask > 0


def _has_channels(batch: Batch) -> bool:
    return are_multilabel(batch["mask"], n_spatial=batch["image"].ndim - 2)


def _patches(batch: Batch) -> Tensor:
    """Tell for each shape (rows) which images (columns) may fill it: its own, or healthy ones."""
    mask = batch["mask"]
    shapes = _shapes(batch)
    healthy = (mask == 0).all(dim=1) if _has_channels(batch) else mask == 0
    outside = shapes.flatten(1).float() @ (~healthy).flatten(1).float().T
    fills = (outside == 0) | torch.eye(len(mask), dtype=torch.bool)
    fills &= shapes.flatten(1).any(dim=1)[:, None]
    if "weight" in batch:
        fills &= (batch["weight"] > 0) & (batch["weight"] > 0)[:, None]
    return fills


def _patch(patches: Tensor, row: int, *chance: float) -> tuple[int, int] | None:
    """Choose a shape and the image that fills it, both different from the receiving image."""
    others = torch.arange(len(patches)) != row
    healthy = patches & others & ~torch.eye(len(patches), dtype=torch.bool)
    shapes = (healthy.any(dim=1) & patches.diagonal() & others).nonzero()[:, 0].tolist()
    if not shapes:
        return None
    of_shape, of_kind, of_source = chance
    shape = shapes[int(of_shape * len(shapes))]
    sources = healthy[shape].nonzero()[:, 0].tolist()
    return shape, shape if of_kind < 0.5 else sources[int(of_source * len(sources))]
