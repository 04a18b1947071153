"""Plugins that come with segclf, installed by the same entry points as third-party plugins."""

from segclf.hookspecs import hookimpl

__all__ = [
    "segclf_pseudo_labelers",
    "segclf_readers",
    "segclf_summarizers",
    "segclf_thresholders",
]


@hookimpl
def segclf_pseudo_labelers() -> dict[str, str]:
    """Offer our pseudo-labelers.

    Returns
    -------
    dict of str to str
        Names and where their classes are.
    """
    return {
        "boosted": "segclf_plugins.pseudo_labelers.boosted:BoostedLabeler",
        "consistency": "segclf_plugins.pseudo_labelers.consistency:ConsistencyLabeler",
        "grad_cam": "segclf_plugins.pseudo_labelers.grad_cam:GradCAMLabeler",
        "irnet": "segclf_plugins.pseudo_labelers.irnet:IRNetLabeler",
        "pretrained": "segclf_plugins.pseudo_labelers.pretrained:PretrainedLabeler",
        "self_training": "segclf_plugins.pseudo_labelers.self_training:SelfTrainingLabeler",
        "thresholder": "segclf_plugins.pseudo_labelers.thresholder:ThresholderLabeler",
    }


@hookimpl
def segclf_readers() -> dict[str, tuple[str, list[str]]]:
    """Offer our readers.

    Returns
    -------
    dict of str to (str, list of str)
        Names, where their classes are, and the suffixes of their files.
    """
    rasters = [".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".webp"]
    return {
        "dicom": ("segclf_plugins.readers.dicom:DicomReader", [".dcm", ".dicom"]),
        "nifti": ("segclf_plugins.readers.nifti:NiftiReader", [".nii", ".nii.gz"]),
        "raster": ("segclf.data.raster_reader:RasterReader", rasters),
        "tiff": ("segclf_plugins.readers.tiff:TiffReader", [".btf", ".tf8", ".tif", ".tiff"]),
    }


@hookimpl
def segclf_summarizers() -> dict[str, str]:
    """Offer our summarizers.

    Returns
    -------
    dict of str to str
        Names and where their classes are.
    """
    return {
        "embedding": "segclf_plugins.summarizers.embedding:EmbeddingSummarizer",
        "fully_connected": "segclf_plugins.summarizers.linear:FullyConnectedSummarizer",
        "joint": "segclf_plugins.summarizers.joint:JointSummarizer",
        "mask_features": "segclf_plugins.summarizers.mask_features:MaskFeaturesSummarizer",
        "pooled": "segclf_plugins.summarizers.linear:PooledSummarizer",
        "resnet50": "segclf_plugins.summarizers.image_networks:ResNet50Summarizer",
        "squeezenet": "segclf_plugins.summarizers.image_networks:SqueezeNetSummarizer",
        "threshold": "segclf_plugins.summarizers.threshold:ThresholdSummarizer",
        "tuned_threshold": "segclf_plugins.summarizers.tuned_threshold:TunedThresholdSummarizer",
    }


@hookimpl
def segclf_thresholders() -> dict[str, str]:
    """Offer our thresholders.

    Returns
    -------
    dict of str to str
        Names and where their classes are.
    """
    return {
        "adaptive_gaussian": "segclf_plugins.thresholders.adaptive:AdaptiveGaussianThresholder",
        "adaptive_mean": "segclf_plugins.thresholders.adaptive:AdaptiveMeanThresholder",
        "ght": "segclf_plugins.thresholders.ght:GHTThresholder",
        "otsu": "segclf_plugins.thresholders.otsu:OtsuThresholder",
    }
