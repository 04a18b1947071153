"""The reason for the value of each parameter of a proposal, in words."""

from typing import Any

import numpy as np

from segclf.reports.proposal.explicit import network_of
from segclf.reports.proposal.labeled_images import LabeledImages
from segclf.reports.proposal.result import Reason

FIXED = "the same for all data"


def facts_of(data: LabeledImages) -> list[Reason]:
    """List the facts that the rules use."""
    images: Any = data.supervision.images
    sizes = images.sizes()
    low, high = (" x ".join(map(str, each.tolist())) for each in (sizes.min(0), sizes.max(0)))
    height, width = data.facts.size
    size = f"median of {low} to {high}" if low != high else "equal for all"
    shown = dict(
        zip(data.labels.classes.tolist(), (data.truth == 1).sum(axis=0).tolist(), strict=True)
    )
    n_unlabeled = int((data.truth < 0).all(axis=1).sum())
    return [
        Reason("images", len(images), f"of which {n_unlabeled} are unlabeled"),
        Reason("size", f"{height:.0f} x {width:.0f}", size),
        Reason("channels", images.n_channels, "the input of the encoder"),
        Reason("classes", len(shown), ", ".join(f"{n} of {name!r}" for name, n in shown.items())),
        *_masks(data),
    ]


def reasons_of(estimator: Any, data: LabeledImages, because: dict[str, str]) -> list[Reason]:
    """List the parameters of a proposal with the reasons for their values.

    Parameters
    ----------
    estimator : SegmentationClassifier or ImageClassifier
        The proposal.
    data : LabeledImages
        The images that it was made for.
    because : dict
        More specific reasons, by parameter.
    """
    network = network_of(estimator)
    params = {**estimator.get_params(deep=False), **network.get_params(deep=False)}
    params["random_state"] = estimator.random_state
    texts = {"encoder": "", **_texts(network, data), **because}
    return [Reason(name, params[name], texts[name]) for name in texts if name in params]


def _masks(data: LabeledImages) -> list[Reason]:
    if not data.shows_findings:
        return [Reason("masks", 0, "no mask shows a finding, so only labels are learned")]
    masks = data.supervision.masks
    shares = masks.shares()[:, int(not masks.multilabel) :]
    quantiles = np.quantile(shares[shares > 0], [0.1, 0.5, 0.9])
    low, middle, high = (f"{share:.2%}" for share in quantiles)
    return [
        Reason("masks", int(masks.labeled.sum()), "so findings are segmented, then classified"),
        Reason("findings", middle, f"of an image (median); 80 % are {low} to {high}"),
    ]


def _texts(network: Any, data: LabeledImages) -> dict[str, str]:
    pretrained = network.encoder_weights is not None
    return {
        "encoder_weights": "the weights that were compared",
        "encoder_rate": (
            "pretrained, so it is frozen and each image is encoded once"
            if network.encoder_rate == 0
            else "from scratch, so it is trained"
        ),
        "architecture": (
            "a light head on a frozen encoder"
            if network.encoder_rate == 0
            else "the usual decoder of a trained encoder"
        ),
        "learning_rate": "higher, for a head only" if pretrained else "for a whole network",
        "max_steps": f"grows with the square root of the {data.facts.n_labeled} labeled images",
        "max_epochs": "not used, since max_steps is given",
        "image_size": _of_size(network.image_size, data),
        "batch_size": FIXED,
        "optimizer": FIXED,
        "schedule": FIXED,
        "weight_decay": FIXED,
        "device": "the fastest of this machine",
        "precision": 'the same on machines with and without native bf16; "auto" may be faster',
        "label_weight": _of_labels(getattr(network, "label_weight", 0.0)),
        "negative_class": "the class without a finding; None: every class has a region",
        "summarizer": "the default",
        "random_state": "the seed of the comparison",
    }


def _of_size(size: Any, data: LabeledImages) -> str:
    if size is None:
        return "images are no larger than the rule requires, so they are not resized"
    if data.facts.finding is None:
        return "the usual one, since no mask gives the size of findings"
    return f"nine in ten findings cover {data.facts.finding:.2%} of an image, and a few cells so"


def _of_labels(weight: float) -> str:
    if weight == 0:
        return "labels without a mask do not locate findings, and teach shortcuts"
    return "some classes have labels but no mask to learn from, so all labels count"
