"""From arrays, paths and masks to batches of tensors."""

from segclf.data.augmentation import Augmentation
from segclf.data.images import Images, as_images, to_float
from segclf.data.loader import Loader
from segclf.data.masks import Masks, as_masks, check_mask_sizes
from segclf.data.presets import as_augmentation
from segclf.data.samples import Samples
from segclf.data.views import as_views, views

__all__ = [
    "Augmentation",
    "Images",
    "Loader",
    "Masks",
    "Samples",
    "as_augmentation",
    "as_images",
    "as_masks",
    "as_views",
    "check_mask_sizes",
    "to_float",
    "views",
]
