"""Soft Dice: the overlap of two areas relative to their sizes."""

from torch import Tensor

from segclf.losses.overlap import ratio, soft_overlap


def dice(
    logits: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    class_weight: Tensor | None = None,
    include_background: bool = False,
    batch: bool = True,
    squared: bool = False,
    smooth: float = 1.0,
) -> Tensor:
    """Average, over classes, ``1 - (2 |p t| + smooth) / (|p| + |t| + smooth)``.

    Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, Section 3 (which squares). The defaults are
    those of CheXseg's code; cross teaching is
    ``squared=True, smooth=1e-5, include_background=True``.

    A class absent from the target has the loss ``|p| / (|p| + smooth)``, which pushes the
    prediction to 0 and is 0 if nothing is predicted (even with ``smooth=0``). A class without
    labeled pixels (with ``batch=False``, in an image) does not enter the mean.

    Parameters
    ----------
    logits : Tensor of shape (n, k, h, w) or (n, k)
        Scores before the softmax, or the sigmoid of multi-label targets.
    target : Tensor of shape (n, h, w) or (n,) with ids, or of the shape of `logits` with 0 and 1
        -1 is ignored.
    sample_weight : Tensor of shape (n,), optional
        Multiplies an image's sums (``batch=True``) or its weight in the mean of the images.
    class_weight : Tensor of shape (k,), optional
        Weights of the mean over classes; has an entry for the background even if that is left out.
    include_background : bool, default=False
        Whether class 0 of exclusive ids counts. All channels of a multi-label target do.
    batch : bool, default=True
        Whether to sum pixels over the batch for each class, or for each image and class.
    squared : bool, default=False
        Whether to square probabilities and truth in the denominator.
    smooth : float, default=1.0
        Added to numerator and denominator, in pixels.

    Returns
    -------
    Tensor
        A scalar; 0 if everything is ignored.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import torch
    >>> from segclf.losses import dice
    >>> logits, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1, 1], [0, -1]]]])
    >>> round(dice(logits, target, smooth=0).item(), 4)  # 1 - 2 * 1 / (1.5 + 2)
    0.4286
    """
    overlap = soft_overlap(
        logits,
        target,
        sample_weight=sample_weight,
        class_weight=class_weight,
        include_background=include_background,
        batch=batch,
        squared=squared,
    )
    total = overlap.predicted + overlap.true
    return overlap.mean(1 - ratio(2 * overlap.both + smooth, total + smooth))
