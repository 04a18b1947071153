"""Pure functions from logits and targets to one scalar.

Every loss is called as ``loss(logits, target, *, sample_weight=None, class_weight=None)``:

- ``logits`` are ``(n, k, h, w)``, or ``(n, k)`` for whole images, before softmax or sigmoid.
- ``target`` with one axis less holds exclusive ids ``0..k-1`` (softmax; id 0 is background). With
  as many axes it is multi-label, 0 or 1 per channel (sigmoid; ``k = 1`` is binary). ``-1`` is
  "unlabeled" and is ignored.
- ``sample_weight`` ``(n,)`` and ``class_weight`` ``(k,)`` weigh means: weight 0 leaves an entry
  out, weight 2 counts it twice.
- Half precision logits are computed in float32. A target that is -1 everywhere (or has
  no images) gives exactly 0, with gradients that are exactly 0.
"""

from segclf.losses._cross_entropy import cross_entropy
from segclf.losses._dice import dice
from segclf.losses._dice_cross_entropy import dice_cross_entropy
from segclf.losses._focal import focal
from segclf.losses._focal_tversky import focal_tversky
from segclf.losses._tversky import tversky
from segclf.losses.names import get_label_loss, get_loss, is_mean_over_images

__all__ = [
    "cross_entropy",
    "dice",
    "dice_cross_entropy",
    "focal",
    "focal_tversky",
    "get_label_loss",
    "get_loss",
    "is_mean_over_images",
    "tversky",
]
