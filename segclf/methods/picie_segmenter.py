"""PiCIE: pixels that look alike form one class, whatever the light and wherever they are.

In each epoch, k-means clusters the pixels of the training images, and the network learns to predict
the clusters. Two views of an image differ in color; one is cropped and flipped before the network,
the other after it. So a pixel's cluster learns to depend on neither. Cho, Mall, Bala and Hariharan,
"PiCIE: Unsupervised semantic segmentation using invariance and equivariance in clustering", CVPR
2021.
"""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from segclf.base import Segmenter
from segclf.data import Augmentation, Loader, Samples, as_views, views
from segclf.losses import cross_entropy
from segclf.metrics.matching import class_shares, count_agreement, match_clusters
from segclf.networks import (
    ClusterNetwork,
    cluster_network,
    learn_clusters,
    momentum_copy,
    padded,
)
from segclf.objectives import Batch, Objective, Progress
from segclf.training.devices import to_device

STILL = Augmentation()
MOVEMENTS = (
    *("horizontal_flip", "vertical_flip", "quarter_turns", "rotation", "scale", "translation"),
    *("shear", "crop", "output_scale"),
)
TARGETS = ("mask", "label", "weight")
# A cluster with a smaller share of the pixels weighs as much as one with this share.
SMALLEST_SHARE = 1e-4


class PiCIESegmenter(Segmenter):
    """Segment images without masks, into clusters of pixels found by PiCIE.

    ``fit(X)`` is enough: `predict` then returns clusters, 0 to ``n_clusters - 1``. Masks and image
    labels do not train the network; if given, they decide which cluster gets which mask id.

    Parameters
    ----------
    encoder : str
        A name as in `SupervisedSegmenter`.
    encoder_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm (see
        docs/pretraining.md), or a local file. None starts from scratch.
    n_clusters : int
        Number of clusters: 27 in the paper, the number of COCO's coarse classes; 2 in S4MI.
    feature_size : int
        Length of the vector that describes a pixel.
    crop : (float, float)
        Smallest and largest area of the crop, as fractions of the image area.
    horizontal_flip : float
        Probability of mirroring left and right.
    cluster_weight : {"balanced"} or None
        "balanced" weighs clusters in the loss inversely to their number of pixels. A cluster of
        less than .01 % of the pixels counts as .01 %.
    matching : {"hungarian", "majority"}
        How clusters are assigned to mask ids. "hungarian" assigns one cluster to each id so that
        most pixels agree, and each remaining cluster to the id of most of its pixels. "majority"
        assigns every cluster that way. With multi-label masks, a cluster always belongs to every
        class that covers most of its labeled pixels.

    Notes
    -----
    The defaults are those of the paper and its code, except for its batches of 128 images and its
    ResNet-18 from ImageNet (`encoder_weights`, `pretrainer`). `augmentation` changes the colors of
    the two views, by default as in the paper; it must not move pixels. Each view has its own
    centroids, computed anew in every epoch. They have length 1, so that the labels (by distance),
    the scores (the dot product, no temperature) and the paper's cosine distance agree, which they
    do not in the code. The code also weighs clusters in proportion to their number of pixels (the
    inverse of the paper), never samples gray, applies blurs without effect, and computes clusters
    in training mode but labels in evaluation mode. Here the network at the start of the epoch, in
    evaluation mode, does both. Clusters are computed from at most 8192 random pixels of each batch,
    as the best of five starts of k-means++.

    After training, clusters are computed once more, from unchanged images, and matched on the
    training images with a mask. An image labeled 0 counts as an empty mask; without a mask, a pixel
    of an image labeled j counts as half background, half j. A class has the score of its best
    cluster, so that the nearest centroid decides. A class without a cluster has a probability of
    almost 0.

    S4MI uses ``n_clusters=2, encoder="resnet34", max_epochs=50``, batches of 64 or 128 and images
    of 480 x 480. Its learning rate halves (.502) every 5 epochs, with Adam in its code and SGD in
    its text. It reports runs that end with all pixels in one class.

    See Also
    --------
    SupervisedSegmenter : Learn from masks.

    Examples
    --------
    >>> from segclf import PiCIESegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> segmenter = PiCIESegmenter(encoder="tiny", n_clusters=3, max_epochs=1, random_state=0)
    >>> segmenter.fit(shapes.images).predict_proba(shapes.images).shape
    (8, 3, 32, 32)
    """

    encoder: str = "resnet18"
    encoder_weights: Any = None
    n_clusters: int = 27
    feature_size: int = 128
    crop: tuple[float, float] = (0.5, 1.0)
    horizontal_flip: float = 0.5
    cluster_weight: str | None = "balanced"
    matching: str = "hungarian"
    max_epochs: int = 10

    _learns_from_unlabeled: ClassVar[bool] = True
    _needs_targets: ClassVar[bool] = False
    _monitors: ClassVar[tuple[str, ...]] = ("loss",)  # clusters get classes only at the end
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str],
        "n_clusters": [Interval(Integral, 2, 255, closed="both")],  # masks have 8 bits
        "feature_size": [Interval(Integral, 1, None, closed="left")],
        "crop": [tuple, list],
        "horizontal_flip": [Interval(Real, 0, 1, closed="both")],
        "cluster_weight": [StrOptions({"balanced"}), None],
        "matching": [StrOptions({"hungarian", "majority"})],
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        view = Augmentation(
            brightness=0.6,  # a factor of 1 +- .3, in standard deviations of ImageNet
            contrast=0.3,
            saturation=0.3,
            hue=36.0,
            color_probability=0.8,
            grayscale=0.2,
            blur=(0.1, 2.0),
            blur_reference_size=224,
            blur_probability=0.5,
        )
        return view, view

    def _make_objective(self, samples: Samples) -> Objective:
        for view in as_views(self.augmentation, self._make_views()):
            _check_still(view)
        if not samples.supervised:
            self.n_classes_ = self.n_clusters
        network = cluster_network(
            encoder=self.encoder,
            encoder_weights=self.encoder_weights,
            in_channels=samples.images.n_channels,
            n_clusters=self.n_clusters,
            n_classes=self.n_classes_,
            feature_size=self.feature_size,
            multilabel=self.multilabel_,
        )
        return PiCIE(
            network,
            geometry=Augmentation(crop=self.crop, horizontal_flip=self.horizontal_flip),
            balanced=self.cluster_weight is not None,
            seed=int(torch.randint(2**31, ())),
        )

    def _end(self, samples: Samples) -> None:
        network = cast(ClusterNetwork, self.network_).eval()
        loader = Loader(samples, batch_size=self.batch_size, seed=0, shuffle=False)

        def batches() -> Iterable[Batch]:
            return (to_device(batch, network.mean.device) for batch in loader.epoch(0))

        with torch.no_grad():
            learn_clusters(
                [network.clusters],
                (([network.describe(b["image"])], b.get("weight")) for b in batches()),
            )
            if samples.supervised:
                members = self._members(network, batches())
                network.members.copy_(torch.from_numpy(members))

    def _members(self, network: ClusterNetwork, batches: Iterable[Batch]) -> NDArray[np.bool_]:
        """Return which clusters belong to which class, (n_classes, n_clusters), from masks."""
        agreement = np.zeros((self.n_clusters, self.n_classes_))
        for batch in batches:
            nearest = network.cluster_scores(batch["image"]).argmax(dim=1)
            said = {name: batch[name].cpu().numpy() for name in TARGETS if name in batch}
            shares = class_shares(said["mask"], said.get("label"), self.n_classes_)
            shares *= said.get("weight", np.ones(len(shares)))[:, None, None, None]
            agreement += count_agreement(nearest.cpu().numpy(), shares, self.n_clusters)
        if self.multilabel_:
            return agreement.T > 0
        return match_clusters(agreement, matching=self.matching)


class PiCIE(Objective):
    """Cross-entropy of both views' pixels with the clusters of both views.

    Parameters
    ----------
    network : ClusterNetwork
        Network to train.
    geometry : Augmentation
        Moves the first view, and the network's features of the second.
    balanced : bool
        Whether clusters weigh inversely to their number of pixels.
    seed : int
        Decides the movements, together with the step.
    """

    network: ClusterNetwork
    clusters: Any

    def __init__(
        self, network: ClusterNetwork, *, geometry: Augmentation, balanced: bool, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.teacher = momentum_copy(network)
        self.clusters = nn.ModuleList(momentum_copy(network.clusters) for _ in range(2))
        self.geometry = geometry
        self.balanced = balanced
        self.seed = seed

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the terms "within" and "across", each half the mean of its two losses."""
        with torch.no_grad():
            described_by_teacher = self.describe(self.teacher, batch, progress.step)
        described = self.describe(self.network, batch, progress.step)
        losses = [
            cross_entropy(
                clusters.scores(features),
                clusters.scores(seen).argmax(dim=1),
                sample_weight=batch.get("weight"),
                class_weight=balanced_weight(clusters.counts) if self.balanced else None,
            )
            for clusters, seen in zip(self.clusters, described_by_teacher, strict=True)
            for features in described
        ]
        return {"within": (losses[0] + losses[3]) / 4, "across": (losses[1] + losses[2]) / 4}

    def before_epoch(self, batches: Iterable[Batch], progress: Progress) -> None:
        """Compute the clusters of each view from the network's current features."""
        self.teacher.load_state_dict(self.network.state_dict())
        self.teacher.eval()
        device = self.network.mean.device
        local = (to_device(batch, device) for batch in batches)
        learn_clusters(
            self.clusters,
            (
                (self.describe(self.teacher, batch, step), batch.get("weight"))
                for step, batch in enumerate(local, start=progress.step)
            ),
        )

    def describe(self, network: ClusterNetwork, batch: Batch, step: int) -> list[Tensor]:
        """Return each view's features (n, d, h, w): moved before the network, and after it."""
        # Padding moves along, so that the pixels of both views stay aligned.
        sides = {"stride": network.stride, "smallest": network.smallest}
        first, second = (padded(view, **sides) for view in views(batch))
        return [
            network.describe(self._move(first, step)),
            self._move(network.describe(second), step),
        ]

    def _move(self, maps: Tensor, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed + step)
        return self.geometry(maps.float(), None, generator)[0]


def balanced_weight(counts: Tensor) -> Tensor:
    """Weigh clusters inversely to their counts (k,): 1 for each where all are equal.

    Examples
    --------
    >>> balanced_weight(torch.tensor([1.0, 1.0, 2.0])).tolist()
    [1.3333333730697632, 1.3333333730697632, 0.6666666865348816]
    """
    shares = counts / counts.sum().clamp(min=torch.finfo(counts.dtype).tiny)
    return 1 / (len(counts) * shares.clamp(min=SMALLEST_SHARE))


def _check_still(view: Any) -> None:
    moves = [name for name in MOVEMENTS if getattr(view, name, None) != getattr(STILL, name)]
    if isinstance(view, Augmentation) and moves:
        raise ValueError(
            f"augmentation={view!r} moves pixels ({', '.join(moves)}), each view in its own way; "
            "expected changes of color only. Both views move together by crop and horizontal_flip."
        )
