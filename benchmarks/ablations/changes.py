"""The changes, one default each; the others keep the values chosen for the same data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from segclf import SupervisedSegmenter

DEFAULT, FEW_MASKS = "default", "masks for 10 % of the positives"
Parameters = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row of the table.

    Parameters
    ----------
    network : callable
        Maps the chosen parameters to the parameters of the segmenter that differ.
    classifier : dict
        Parameters of the classifier that contains it.
    segmenter : type
        The segmenter's class.
    few_masks : bool
        Whether most positive images have only a label.
    """

    network: Callable[[Parameters], Parameters] = lambda chosen: {}
    classifier: Parameters = field(default_factory=dict)
    segmenter: type = SupervisedSegmenter
    few_masks: bool = False


class WithoutPrior(SupervisedSegmenter):
    """A segmenter whose last bias does not start at the log-odds of the findings."""

    def _network(self, n_channels: int) -> Any:
        network = super()._network(n_channels)
        network.set_prior = lambda shares, *, multilabel: network
        return network


def setting(**parameters: Any) -> Change:
    return Change(network=lambda chosen: parameters)


def times(name: str, factor: float) -> Change:
    return Change(network=lambda chosen: {name: _scaled(chosen[name], factor)})


def sized(factor: float) -> Change:
    """Scale height and width, in whole strides of the encoder."""

    def network(chosen: Parameters) -> Parameters:
        sides = [max(32, round(factor * side / 32) * 32) for side in chosen["image_size"]]
        return {"image_size": sides}

    return Change(network=network)


def _scaled(number: Any, factor: float) -> Any:
    return max(1, round(factor * number)) if isinstance(number, int) else factor * number


POOLINGS = ("top_mean", "mean", "rank", "max")
# Each is another fit.
CHANGES: dict[str, Change] = {
    DEFAULT: Change(),
    "encoder_rate=.1, fine-tuned": setting(encoder_rate=0.1),
    "encoder_rate=0, frozen": setting(encoder_rate=0.0),
    "encoder_rate=.1, encoder_start=.5, head first": setting(encoder_rate=0.1, encoder_start=0.5),
    "the last map's bias starts at 0": Change(segmenter=WithoutPrior),
    **{
        f'architecture="{name}"': setting(architecture=name)
        for name in ("hypercolumn", "fpn", "unet")
    },
    "encoder_scales=(1, 2), of hypercolumn": setting(
        architecture="hypercolumn", encoder_scales=(1, 2)
    ),
    "image_size halved": sized(0.5),
    "image_size doubled": sized(2),
    "max_steps halved": times("max_steps", 0.5),
    "max_steps doubled": times("max_steps", 2),
    "learning_rate / 3": times("learning_rate", 1 / 3),
    "learning_rate x 3": times("learning_rate", 3),
    "clip_gradients=1": setting(clip_gradients=1.0),
    "average_weights=0": setting(average_weights=0.0),
    "average_weights=.3": setting(average_weights=0.3),
    "augmentation=None": setting(augmentation=None),
    'augmentation="flips"': setting(augmentation="flips"),
    'augmentation="light"': setting(augmentation="light"),
    **{
        f'loss="{name}"': setting(loss=name)
        for name in ("dice_cross_entropy", "cross_entropy", "dice", "focal")
    },
    'class_weight="balanced", of pixels': setting(class_weight="balanced"),
    'class_weight="balanced", of images': Change(classifier={"class_weight": "balanced"}),
    "cv=5": Change(classifier={"cv": 5}),
    "cv=5, ensemble=True": Change(classifier={"cv": 5, "ensemble": True}),
    FEW_MASKS: Change(few_masks=True),
    f"{FEW_MASKS}, label_weight=0": Change(
        network=lambda chosen: {"label_weight": 0.0}, few_masks=True
    ),
    f"{FEW_MASKS}, label_weight=1": Change(
        network=lambda chosen: {"label_weight": 1.0}, few_masks=True
    ),
}
# Summarizers of the name "threshold"; each reads the maps of the default's own fit. Without an area
# it is the one that the default found.
SCORES: dict[str, Parameters] = {
    **{f'"threshold", pooling="{name}"': {"pooling": name} for name in POOLINGS},
    **{
        f'"threshold", pooling="top_mean", min_area={area}': {
            "pooling": "top_mean",
            "min_area": area,
        }
        for area in (0.0005, 0.002, 0.008)
    },
}
FLIPS = 'test_time_flips="both"'
