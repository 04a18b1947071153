"""Views: several augmentations of the same images, side by side in one batch."""

from collections.abc import Sequence

from torch import Tensor

from segclf.data.augmentation import Augment, Augmentation
from segclf.data.presets import as_augmentation
from segclf.data.samples import Batch

OneView = str | Augment | None
Views = OneView | list[OneView] | tuple[OneView, ...]


def as_views(spec: Views, defaults: Sequence[Augment]) -> tuple[Augment, ...]:
    """Look up the augmentation of each view.

    Parameters
    ----------
    spec : None, str, Augmentation, callable, or a list or tuple of these
        None means the default. A list or tuple has one entry for each view; anything else applies
        to all of them. ``Augmentation()`` changes nothing.
    defaults : sequence of callable
        One for each view.

    Returns
    -------
    tuple of callable
        One for each view, for :class:`Loader`.

    Raises
    ------
    ValueError
        If the number of entries is not the number of views, a name is unknown, or a parameter of
        an :class:`Augmentation` is outside its limits.
    TypeError
        If an entry is something else.

    Examples
    --------
    >>> from segclf.data import Augmentation
    >>> paper = Augmentation(crop=(0.2, 1.0)), Augmentation(crop=(0.2, 1.0), hue=36)
    >>> as_views((None, "flips"), defaults=paper)
    (Augmentation(crop=(0.2, 1.0)), Augmentation(horizontal_flip=0.5, vertical_flip=0.5))
    """
    entries = spec if isinstance(spec, list | tuple) else [spec] * len(defaults)
    if len(entries) != len(defaults):
        raise ValueError(
            f"augmentation has {len(entries)} entries; expected {len(defaults)}, one for each "
            "view, or a single one for all."
        )
    chosen = (as_augmentation(entry) for entry in entries)
    return tuple(default if c is None else c for c, default in zip(chosen, defaults, strict=True))


def simclr_view(crop: tuple[float, float] = (0.08, 1.0)) -> Augmentation:
    """Crop, flip, change of color, gray and blur: the view that joint-embedding methods share.

    Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020,
    appendix A, with the milder colors of MoCo v2, which SimSiam, BYOL and DINO also use. Their
    brightness, a factor of 1 +- .4, changes an image of ImageNet by .8 standard deviations, our
    unit; their hue of .1 is 36 degrees. Blurs are .1 to 2 pixels for images of 224 x 224, and scale
    with the size of others.

    Parameters
    ----------
    crop : (float, float)
        Smallest and largest area of the crop.

    Returns
    -------
    Augmentation
        Use ``dataclasses.replace`` if a method differs.

    Examples
    --------
    >>> simclr_view().blur
    (0.1, 2.0)
    """
    return Augmentation(
        crop=crop,
        horizontal_flip=0.5,
        brightness=0.8,
        contrast=0.4,
        saturation=0.4,
        hue=36.0,
        color_probability=0.8,
        grayscale=0.2,
        blur=(0.1, 2.0),
        blur_reference_size=224,
        blur_probability=0.5,
    )


def views(batch: Batch) -> list[Tensor]:
    """Return the views of a batch, "view_0", "view_1", ..., in this order.

    Parameters
    ----------
    batch : dict of Tensor
        From a :class:`Loader` with `views`.

    Returns
    -------
    list of Tensor of shape (n, c, h_i, w_i)
        Empty if there are none.

    Examples
    --------
    >>> import torch
    >>> batch = {"image": torch.zeros(2, 3, 8, 8), "view_0": torch.ones(2, 3, 4, 4)}
    >>> [tuple(view.shape) for view in views(batch)]
    [(2, 3, 4, 4)]
    """
    n_views = sum(name.startswith("view_") for name in batch)
    return [batch[f"view_{i}"] for i in range(n_views)]
