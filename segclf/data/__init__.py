"""From arrays, paths and masks to batches of tensors."""

from segclf.data.augmentation import Augmentation
from segclf.data.images import Images, as_images, to_float
from segclf.data.loader import Loader
from segclf.data.masks import Masks, as_masks, check_mask_sizes
from segclf.data.multi_view import as_views, views
from segclf.data.presets import as_augmentation
from segclf.data.samplers import MixingSampler, Sampler, ShuffledSampler, TwoStreamSampler
from segclf.data.samples import Samples

__all__ = [
    "Augmentation",
    "Images",
    "Loader",
    "Masks",
    "MixingSampler",
    "Sampler",
    "Samples",
    "ShuffledSampler",
    "TwoStreamSampler",
    "as_augmentation",
    "as_images",
    "as_masks",
    "as_views",
    "check_mask_sizes",
    "to_float",
    "views",
]
