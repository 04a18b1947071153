"""Networks by name, and by recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from segclf.networks._cluster_network import ClusterNetwork
from segclf.networks._irnet import irnet
from segclf.networks._map_classifier import map_classifier
from segclf.networks.classification import ClassificationNetwork, make_classification
from segclf.networks.embedding import embedding_network
from segclf.networks.encoders import encoder_key
from segclf.networks.going_together import spatial_axes
from segclf.networks.multitask import MultitaskNetwork
from segclf.networks.options import resolve_depth, resolve_options, resolve_strides
from segclf.networks.own import own_network
from segclf.networks.pair import PairNetwork, SegmentationPair
from segclf.networks.parts import make_parts
from segclf.networks.pretrained import pretrained
from segclf.networks.segmentation import SegmentationNetwork
from segclf.networks.weight_sources import find_weights


def segmentation_network(
    *,
    architecture: str = "unet",
    encoder: str = "resnet18",
    encoder_weights: str | Path | None = None,
    in_channels: int = 3,
    n_classes: int = 2,
    encoder_depth: int | None = None,
    decoder_channels: Sequence[int] | int | None = None,
    decoder_attention: str | None = None,
    encoder_scales: Sequence[int] | None = None,
    encoder_strides: Sequence[Sequence[int]] | None = None,
) -> SegmentationNetwork:
    """Make a network that returns a score per class for each pixel.

    Parameters
    ----------
    architecture : str
        One of segmentation-models-pytorch's, in lower case (``"unet"``, ``"deeplabv3plus"``,
        ``"dpt"``, ...); ``"fcn"``: torchvision's FCN, identical for ``resnet50``, as in the S4C
        paper; ``"vit_unet"``: MedSASS's U-Net around a plain vision transformer (Appendix A.1), the
        paper's with ``vit_small_patch8_224``; ``"plain_unet"``: the U-Net as first published, of
        any width, with ``encoder="plain"``; or ``"hypercolumn"``: a light head on all maps of a
        good encoder, see :mod:`segclf.networks.hypercolumn`. For volumes: ``"unet3d"``, or MONAI's
        ``"dynunet"``.
    encoder : str
        A name of segmentation-models-pytorch, any timm model, ``"tiny"`` or ``"tiny_vit"``. A few
        timm models (``hiera_tiny_224``, ``mixer_s16_224``) take images of one size only, and say
        so. For volumes: ``"residual3d"``, ``"tiny3d"`` with half its channels, or ``"dynunet"``.
    encoder_weights : str, Path or None
        Local file of pretrained weights, see :func:`segclf.networks.load_weights`; or a name,
        ``"imagenet"`` or ``"timm/"`` and a model of timm, see
        :mod:`segclf.networks.weight_sources`.
    in_channels, n_classes : int
        Channels of the images and of the logits.
    encoder_depth : int or None
        Number of encoder stages that the decoder reads; None is the architecture's default, and the
        only choice for vit_unet. For hypercolumn on a vision transformer, which has maps of one
        size, it is the number of last blocks that are read. A U-Net with 3 and
        ``decoder_attention="scse"`` is the network of DEDL (S4MI, section 3).
    decoder_channels : int, sequence of int or None
        One number per stage for unet, unetplusplus and manet; five for vit_unet, from top to
        bottom; one for plain_unet, at its top, doubling from level to level in the encoder, too;
        one for deeplabv3, deeplabv3plus, hypercolumn, pan and upernet. Other architectures have no
        such option.
    decoder_attention : str or None
        ``"scse"`` for unet and unetplusplus.
    encoder_scales : sequence of int or None
        For hypercolumn: the sizes at which the encoder sees the image, as multiples of its own
        size. ``(1, 2)`` adds the maps of the image at twice its height and width, which halves the
        stride of the finest map and takes at least five times the encoder's work. None means
        ``(1,)``.
    encoder_strides : sequence of (int, int, int) or None
        For volumes: the factors, 1 or 2, by which each stage shrinks slices, rows and columns. None
        means 2 for all, in `encoder_depth` stages, 4 by default.

    Returns
    -------
    SegmentationNetwork
        Randomly initialized from torch's global generator, but for what the file holds.

    Raises
    ------
    ValueError
        For unknown names, and for options that cannot be combined.
    FileNotFoundError
        When `encoder_weights` is no file, or weights of that name cannot be had.

    Examples
    --------
    >>> import torch
    >>> network = segmentation_network(encoder="tiny", in_channels=1)
    >>> network(torch.zeros(2, 1, 37, 53)).shape
    torch.Size([2, 2, 37, 53])
    """
    key = encoder_key(encoder)
    weights = find_weights(encoder_weights, key)
    _check_counts(in_channels=in_channels, n_classes=n_classes)
    options = resolve_options(
        architecture,
        key,
        encoder_depth=encoder_depth,
        decoder_channels=decoder_channels,
        decoder_attention=decoder_attention,
        encoder_scales=encoder_scales,
        encoder_strides=encoder_strides,
    )
    counts = {"in_channels": int(in_channels), "n_classes": int(n_classes)}
    parts = make_parts(architecture, key, options=options, **counts)
    names = {"kind": "segmentation", "architecture": architecture, "encoder": encoder}
    return pretrained(SegmentationNetwork(parts, {**names, **counts, **options}), weights, key)


def classification_network(
    *,
    encoder: str = "resnet50",
    encoder_weights: str | Path | None = None,
    in_channels: int = 3,
    n_classes: int = 2,
    encoder_depth: int | None = None,
    encoder_strides: Sequence[Sequence[int]] | None = None,
) -> ClassificationNetwork:
    """Make a network that returns a score per class for each image.

    An encoder of segmentation-models-pytorch itself (resnet50, densenet121, mobilenet_v2, ...) is
    the same module as in a segmenter, followed by a mean over its deepest map and one linear layer.
    For ResNets and DenseNets that is torchvision's classifier. Any other name is a whole timm
    model; transformers take images of any size if timm supports it.

    Parameters
    ----------
    encoder, encoder_weights, in_channels
        See :func:`segmentation_network`.
    n_classes : int
        Length of the scores. 0 means no head: the network returns the embedding ``(n, d)``.
    encoder_depth : int or None
        Number of encoder stages, as in a segmenter of that depth; None means all. Only for "tiny",
        encoders of segmentation-models-pytorch itself and those of volumes; whole timm models have
        no such option.
    encoder_strides
        See :func:`segmentation_network`.

    Returns
    -------
    ClassificationNetwork
        Randomly initialized from torch's global generator, but for what the file holds.

    Raises
    ------
    ValueError
        For unknown names, and for a depth that the encoder does not have.
    FileNotFoundError
        When `encoder_weights` is no file, or weights of that name cannot be had.

    Examples
    --------
    >>> import torch
    >>> classification_network(encoder="tiny", in_channels=1)(torch.zeros(2, 1, 1, 2)).shape
    torch.Size([2, 2])
    >>> classification_network(encoder="tiny", n_classes=0)(torch.zeros(2, 3, 5, 7)).shape
    torch.Size([2, 64])
    """
    key = encoder_key(encoder)
    weights = find_weights(encoder_weights, key)
    _check_counts(in_channels=in_channels, n_classes=n_classes, fewest_classes=0)
    counts = {"in_channels": int(in_channels), "n_classes": int(n_classes)}
    recipe = {"kind": "classification", "encoder": encoder, **counts}
    axes = spatial_axes(encoder=key)
    strides = resolve_strides(f"encoder={encoder!r}", axes, encoder_strides, encoder_depth)
    if strides is None:
        recipe["encoder_depth"] = resolve_depth(key, encoder_depth)
    else:
        recipe["encoder_strides"] = strides
    return pretrained(make_classification(key, recipe), weights, key)


def cluster_network(
    *,
    encoder: str = "resnet18",
    encoder_weights: str | Path | None = None,
    in_channels: int = 3,
    n_clusters: int = 27,
    n_classes: int = 27,
    feature_size: int = 128,
    multilabel: bool = False,
) -> ClusterNetwork:
    """Make a network that assigns every pixel to a cluster, and clusters to classes.

    Its pixels are those of the encoder's map of stride 4, or the patches of a plain vision
    transformer.

    Parameters
    ----------
    encoder, encoder_weights, in_channels
        See :func:`segmentation_network`.
    n_clusters, n_classes : int
        Number of clusters, and of classes.
    feature_size : int
        Length of the vector that describes a pixel.
    multilabel : bool
        Whether a cluster may belong to several classes or to none.

    Returns
    -------
    ClusterNetwork
        From images (n, c, h, w) to the scores of classes at each pixel.

    Examples
    --------
    >>> import torch
    >>> cluster_network(encoder="tiny", n_classes=2)(torch.zeros(1, 3, 37, 53)).shape
    torch.Size([1, 2, 37, 53])
    """
    key = encoder_key(encoder)
    weights = find_weights(encoder_weights, key)
    _check_counts(in_channels=in_channels, n_classes=n_classes)
    recipe = {"kind": "clusters", "encoder": encoder, "in_channels": int(in_channels)}
    recipe |= {"n_clusters": int(n_clusters), "n_classes": int(n_classes)}
    recipe |= {"feature_size": int(feature_size), "multilabel": bool(multilabel)}
    return pretrained(ClusterNetwork(key, recipe), weights, key)


def build(recipe: dict[str, Any]) -> nn.Module:
    """Make a network again from its recipe, without a file of weights.

    Parameters
    ----------
    recipe : dict
        The attribute `recipe` of a network, possibly converted to JSON and back.

    Returns
    -------
    nn.Module
        Of the class that the recipe comes from, with the same names and shapes in its state dict.

    Raises
    ------
    ValueError
        For an unknown kind of network.

    Examples
    --------
    >>> network = segmentation_network(encoder="tiny")
    >>> build(network.recipe).recipe == network.recipe
    True
    """
    makers: dict[Any, Callable[..., nn.Module]] = {
        "own": own_network,
        "segmentation": segmentation_network,
        "classification": classification_network,
        "clusters": cluster_network,
        "embedding": embedding_network,
        "irnet": irnet,
        "map_classifier": map_classifier,
        "multitask": _multitask,
        "pair": _pair,
        "segmentation_pair": _segmentation_pair,
    }
    kind = recipe.get("kind")
    if kind not in makers:
        raise ValueError(f"A recipe has kind {kind!r}; known kinds: {', '.join(sorted(makers))}.")
    files = sorted(name for name in recipe if name.endswith("weights"))
    if files:
        raise ValueError(f"A recipe names the file {files[0]}; expected a recipe without files.")
    return makers[kind](**{key: recipe[key] for key in recipe if key != "kind"})


def _multitask(*, segmentation: dict[str, Any], n_labels: int) -> MultitaskNetwork:
    return MultitaskNetwork(cast(SegmentationNetwork, build(segmentation)), n_labels=n_labels)


def _pair(**recipes: dict[str, Any]) -> PairNetwork:
    built = {name: cast(ClassificationNetwork, build(recipe)) for name, recipe in recipes.items()}
    return PairNetwork(**built)


def _segmentation_pair(*, multilabel: bool, **recipes: dict[str, Any]) -> SegmentationPair:
    built = {name: cast(SegmentationNetwork, build(recipe)) for name, recipe in recipes.items()}
    return SegmentationPair(**built, multilabel=multilabel)


def _check_counts(*, in_channels: int, n_classes: int, fewest_classes: int = 1) -> None:
    if in_channels < 1:
        raise ValueError(f"in_channels={in_channels}; expected at least 1.")
    if n_classes < fewest_classes:
        raise ValueError(f"n_classes={n_classes}; expected at least {fewest_classes}.")
