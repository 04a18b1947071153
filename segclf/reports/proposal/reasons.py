"""Why each parameter of a proposal is what it is, in words."""

from typing import Any

import numpy as np

from segclf.reports.proposal.explicit import network_of
from segclf.reports.proposal.labeled_images import LabeledImages
from segclf.reports.proposal.result import Reason

FIXED = "of the rule for all data"


def facts_of(data: LabeledImages) -> list[Reason]:
    """Say what the rules look at."""
    images: Any = data.supervision.images
    sizes = images.sizes()
    low, high = (" x ".join(map(str, each.tolist())) for each in (sizes.min(0), sizes.max(0)))
    height, width = data.facts.size
    size = f"median of {low} to {high}" if low != high else "all alike"
    shown = dict(
        zip(data.labels.classes.tolist(), (data.truth == 1).sum(axis=0).tolist(), strict=True)
    )
    n_unlabeled = int((data.truth < 0).all(axis=1).sum())
    return [
        Reason("images", len(images), f"of which {n_unlabeled} are unlabeled"),
        Reason("size", f"{height:.0f} x {width:.0f}", size),
        Reason("channels", images.n_channels, "what the encoder is given"),
        Reason("classes", len(shown), ", ".join(f"{n} of {name!r}" for name, n in shown.items())),
        *_masks(data),
    ]


def reasons_of(estimator: Any, data: LabeledImages, because: dict[str, str]) -> list[Reason]:
    """Say why parameters of a proposal are so.

    Parameters
    ----------
    estimator : SegmentationClassifier or ImageClassifier
        The proposal.
    data : LabeledImages
        For which.
    because : dict
        What is known better than here, by parameter.
    """
    network = network_of(estimator)
    params = {**estimator.get_params(deep=False), **network.get_params(deep=False)}
    params["random_state"] = estimator.random_state
    texts = {"encoder": "", **_texts(network, data), **because}
    return [Reason(name, params[name], texts[name]) for name in texts if name in params]


def _masks(data: LabeledImages) -> list[Reason]:
    if not data.shows_findings:
        return [Reason("masks", 0, "no mask shows a finding: labels alone are learned")]
    masks = data.supervision.masks
    shares = masks.shares()[:, int(not masks.multilabel) :]
    quantiles = np.quantile(shares[shares > 0], [0.1, 0.5, 0.9])
    low, middle, high = (f"{share:.2%}" for share in quantiles)
    return [
        Reason("masks", int(masks.labeled.sum()), "so that findings are segmented, then judged"),
        Reason("findings", middle, f"of an image, the median; eight in ten {low} to {high}"),
    ]


def _texts(network: Any, data: LabeledImages) -> dict[str, str]:
    pretrained = network.encoder_weights is not None
    return {
        "encoder_weights": "those that were compared",
        "encoder_rate": (
            "pretrained, so it is frozen, and each image is encoded once"
            if network.encoder_rate == 0
            else "from scratch, so it learns all that it knows"
        ),
        "architecture": (
            "a light head on a frozen encoder"
            if network.encoder_rate == 0
            else "the usual decoder of an encoder that learns"
        ),
        "learning_rate": "a head alone bears more" if pretrained else "of a whole network",
        "max_steps": f"grows with the root of the labeled images, {data.facts.n_labeled} here",
        "max_epochs": "not looked at, since max_steps is given",
        "image_size": _of_size(network.image_size, data),
        "batch_size": FIXED,
        "optimizer": FIXED,
        "schedule": FIXED,
        "weight_decay": FIXED,
        "device": "the fastest of this machine",
        "precision": 'the same on machines with and without native bf16; "auto" may be faster',
        "label_weight": _of_labels(getattr(network, "label_weight", 0.0)),
        "negative_class": "its images show nothing; None: every class has a region",
        "summarizer": "the default",
        "random_state": "that of the comparison",
    }


def _of_size(size: Any, data: LabeledImages) -> str:
    if size is None:
        return "images are no larger than the rule asks for, so they stay as they are"
    if data.facts.finding is None:
        return "the usual one, where no finding says more"
    return f"nine in ten findings cover {data.facts.finding:.2%} of an image, and a few cells so"


def _of_labels(weight: float) -> str:
    if weight == 0:
        return "labels without a mask do not say where, and teach shortcuts"
    return "some classes have labels alone, and no mask to learn from; all labels count then"
