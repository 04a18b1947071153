"""From arrays, paths and masks to batches of tensors."""

from segclf.data._atomic_write import atomic_write
from segclf.data.arrays import to_float
from segclf.data.augmentation import Augment, Augmentation
from segclf.data.copy_paste import CopyPaste
from segclf.data.crops import RandomCrops
from segclf.data.cutmix import boxes_at, cutmix, cutmix_boxes
from segclf.data.found_readers import files_in_folder
from segclf.data.headers import UnsupportedImage
from segclf.data.images import Images, as_images
from segclf.data.kept_folder import KeptFilesWarning, KeptFolder
from segclf.data.kinds import ImagesLike
from segclf.data.label_codes import as_mask_ids
from segclf.data.label_fraction import keep_labels, label_fraction
from segclf.data.labels import LabelsLike
from segclf.data.lazy_mask import LazyMask
from segclf.data.loader import Loader
from segclf.data.mapped_masks import MappedMask, map_masks
from segclf.data.mask_cleaner import MaskCleaner
from segclf.data.mask_places import check_mask_sizes
from segclf.data.masks import Masks, MasksLike, as_masks
from segclf.data.multi_view import as_views, simclr_view, views
from segclf.data.multilabel_split import MultilabelStratifiedGroupKFold
from segclf.data.parquet_images import ParquetImages
from segclf.data.path_images import PathImages
from segclf.data.presets import as_augmentation
from segclf.data.read_ahead import ReadImages, read_ahead
from segclf.data.readers import load_header, load_image, load_mask, slice_paths
from segclf.data.red_normalizer import RedNormalizer
from segclf.data.resize import resize_image, resize_mask, resize_volume
from segclf.data.samplers import (
    BalancedSampler,
    KindsSampler,
    MixingSampler,
    Sampler,
    ShuffledSampler,
    TwoStreamSampler,
)
from segclf.data.samples import Samples
from segclf.data.semi_supervised_split import SemiSupervisedSplit
from segclf.data.spacings import with_spacing
from segclf.data.stored_images import StoredImages
from segclf.data.tar_images import TarImages
from segclf.data.tiles import Tiles, cut_tiles
from segclf.data.volume_size import check_volume_size
from segclf.data.watched_file import watched_files
from segclf.data.whole import Whole
from segclf.data.writing import save_image, save_mask

__all__ = [
    "Augment",
    "Augmentation",
    "BalancedSampler",
    "CopyPaste",
    "Images",
    "ImagesLike",
    "KeptFilesWarning",
    "KeptFolder",
    "KindsSampler",
    "LabelsLike",
    "LazyMask",
    "Loader",
    "MappedMask",
    "MaskCleaner",
    "Masks",
    "MasksLike",
    "MixingSampler",
    "MultilabelStratifiedGroupKFold",
    "ParquetImages",
    "PathImages",
    "RandomCrops",
    "ReadImages",
    "RedNormalizer",
    "Sampler",
    "Samples",
    "SemiSupervisedSplit",
    "ShuffledSampler",
    "StoredImages",
    "TarImages",
    "Tiles",
    "TwoStreamSampler",
    "UnsupportedImage",
    "Whole",
    "as_augmentation",
    "as_images",
    "as_mask_ids",
    "as_masks",
    "as_views",
    "atomic_write",
    "boxes_at",
    "check_mask_sizes",
    "check_volume_size",
    "cut_tiles",
    "cutmix",
    "cutmix_boxes",
    "files_in_folder",
    "keep_labels",
    "label_fraction",
    "load_header",
    "load_image",
    "load_mask",
    "map_masks",
    "read_ahead",
    "resize_image",
    "resize_mask",
    "resize_volume",
    "save_image",
    "save_mask",
    "simclr_view",
    "slice_paths",
    "to_float",
    "views",
    "watched_files",
    "with_spacing",
]
