"""Losses by name."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from segclf.losses._cross_entropy import cross_entropy
from segclf.losses._dice import dice
from segclf.losses._dice_cross_entropy import dice_cross_entropy
from segclf.losses._focal import focal
from segclf.losses._focal_tversky import focal_tversky
from segclf.losses._tversky import tversky
from segclf.losses.plain import in_our_form

Loss = Callable[..., Tensor]

_LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "dice": dice,
    "dice_cross_entropy": dice_cross_entropy,
    "focal": focal,
    "focal_tversky": focal_tversky,
    "tversky": tversky,
}


def get_loss(loss: str | Loss) -> Loss:
    """Return a loss by its name; a callable gets the signature of segclf's losses.

    Parameters
    ----------
    loss : str or callable
        A name, or ``loss(logits, target, *, sample_weight, class_weight) -> scalar tensor``, which
        is returned unchanged. Options of a named loss are set with :func:`functools.partial`. It
        may be any other ``loss(logits, target)``, such as ``nn.CrossEntropyLoss()``. Weights are
        then refused, and a -1 of the target becomes its ``ignore_index``.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If no loss has that name.
    TypeError
        If `loss` is neither a name nor callable, or a class.

    Examples
    --------
    >>> from segclf.losses import get_loss
    >>> get_loss("focal_tversky").__name__
    'focal_tversky'
    >>> get_loss("dise")
    Traceback (most recent call last):
    ...
    ValueError: No loss named 'dise'; available: cross_entropy, dice, dice_cross_entropy, focal, \
focal_tversky, tversky.
    """
    if callable(loss):
        return in_our_form(loss)
    if not isinstance(loss, str):
        raise TypeError(f"A loss is a name or a callable, got {loss!r}; {_names()}")
    if loss not in _LOSSES:
        raise ValueError(f"No loss named {loss!r}; {_names()}")
    return _LOSSES[loss]


_OF_AREAS = (dice, dice_cross_entropy, focal_tversky, tversky)


def get_label_loss(loss: str | Loss) -> Loss:
    """Return a loss for labels of whole images, which have no background class.

    Parameters
    ----------
    loss : str or callable
        As in :func:`get_loss`. By name, "focal" has no `alpha` here, and losses of areas include
        the first class, so that the order of classes does not matter; options set by
        :func:`functools.partial` take precedence.

    Returns
    -------
    callable

    Raises
    ------
    ValueError, TypeError
        As in :func:`get_loss`.

    Examples
    --------
    >>> import torch
    >>> from segclf.losses import focal, get_label_loss
    >>> scores, labels = torch.zeros(2, 3), torch.tensor([0, 2])
    >>> bool(get_label_loss("focal")(scores, labels) == focal(scores, labels, alpha=None))
    True
    """
    found = get_loss(loss)
    function, given = (found.func, found.keywords) if isinstance(found, partial) else (found, {})
    # Otherwise the class whose name sorts first would count as background.
    if function is focal:
        return partial(found, **({"alpha": None} | given))
    if function in _OF_AREAS:
        return partial(found, **({"include_background": True} | given))
    return found


def is_mean_over_images(loss: Loss, target: Tensor) -> bool:
    """Tell whether an unweighted loss of several images is the mean of their losses.

    Parameters
    ----------
    loss : callable
        A loss from :func:`get_loss` or :func:`get_label_loss`; for other losses the answer is
        False.
    target : Tensor
        If it holds -1, images do not weigh the same.

    Examples
    --------
    >>> import torch
    >>> mask = torch.zeros(2, 4, 4)
    >>> is_mean_over_images(cross_entropy, mask), is_mean_over_images(dice, mask)
    (True, False)
    >>> is_mean_over_images(partial(dice, batch=False), mask)
    True
    """
    function, given = (loss.func, loss.keywords) if isinstance(loss, partial) else (loss, {})
    by_image = function in _OF_AREAS and given.get("batch") is False
    if not (by_image or function in (cross_entropy, focal)):
        return False
    return not {"sample_weight", "class_weight"} & given.keys() and bool((target >= 0).all())


def _names() -> str:
    return f"available: {', '.join(sorted(_LOSSES))}."
