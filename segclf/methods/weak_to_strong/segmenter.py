"""Weak-to-strong consistency: a student learns from its momentum teacher's confident pixels.

A momentum teacher predicts the unlabeled images unchanged. Where it is confident, the student must
agree with it, though it sees only strong views: other colors, boxes of other images (CutMix), half
of the encoder's channels. Sohn et al., "FixMatch", NeurIPS 2020, for masks: Yang, Zhao and Zhao,
"UniMatch V2: pushing the limit of semi-supervised semantic segmentation", TPAMI 2025.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from segclf.base import Automatic, LabelTermSegmenter
from segclf.data import MixingSampler, Sampler, Samples, TwoStreamSampler, as_augmentation
from segclf.methods.weak_to_strong.objective import WeakToStrong
from segclf.methods.weak_to_strong.views import PHOTOMETRIC, StrongViews
from segclf.networks import segmentation_network
from segclf.objectives import Objective


class WeakToStrongSegmenter(Automatic, LabelTermSegmenter):
    """Segment images with a network that learns from its momentum teacher where masks are missing.

    Parameters
    ----------
    architecture : str
        "unet", "hypercolumn" (a light head for frozen encoders) or another name of
        `segclf.networks`. "auto" is "hypercolumn" for a frozen encoder, "unet" for others.
    loss : str or callable
        Loss for masks and pseudo masks alike, as in `SupervisedSegmenter`; the cross-entropy in
        UniMatch V2.
    consistency_weight : float
        Weight of the teacher's term. UniMatch V2 weighs both terms alike.
    confidence : float
        The probability at or above which a pixel of the teacher counts; .95 in UniMatch V2. The
        term is multiplied by the share of such pixels.
    momentum : float
        Share of itself that the teacher keeps in each step; at most 1 - 1 / (t + 1) after step t.
        UniMatch V2's .996 suits tens of thousands of steps, this value hundreds: a teacher that is
        too slow keeps predicting background, and teaches that.
    cutmix : float
        Probability that a strong view contains a box of another image.
    feature_dropout : float
        Fraction of the unlabeled images with complementary dropout: each channel of the encoder's
        maps is kept, doubled, in only one of the two strong views. .5 in UniMatch V2.
    feature_noise : float
        For a frozen encoder: standard deviation of Gaussian noise in the maps of strong views, in
        units of the channel's standard deviation.
    photometric : None, str, Augmentation or callable
        For a trained encoder: changes of colors in strong views; they must not move pixels. None
        means UniMatch V2's colors, gray and blur.
    n_labeled : int or None
        Number of images with a mask in each batch; the others have none. None is half of
        `batch_size`.
    positive_fraction : float
        Smallest share of a batch's images with a mask whose mask shows a finding. "auto" is as in
        `SupervisedSegmenter`.

    Notes
    -----
    `network_` is the teacher, as in UniMatch V2. An image counts as labeled if it has a mask, or
    the label 0 and so an empty mask. An epoch is one pass over the kind of images, labeled or
    unlabeled, that takes more batches. The student learns from the teacher on images without any
    labeled pixel (on channels, if masks are multi-label).

    A frozen encoder sees each image once. Then strong views are made from its maps. Boxes lie on
    the grid of the coarsest map, so that all maps and the pseudo mask are cut along the same lines,
    and noise takes the place of the change of colors. `augmentation` is applied before the weak and
    the strong view alike; only the student's maps are flipped.

    See Also
    --------
    ConsistencySegmenter : Learns the same features for an image in other colors.
    CrossTeachingSegmenter : Two networks that teach each other.

    Examples
    --------
    >>> from segclf import WeakToStrongSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:4], None, None, None, None]
    >>> segmenter = WeakToStrongSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    >>> sorted(segmenter.fit(shapes.images, masks).history_)
    ['consistency', 'epoch', 'learning_rate', 'loss', 'seconds', 'segmentation']
    """

    architecture: str = "auto"
    loss: Any = "dice_cross_entropy"
    consistency_weight: float = 1.0
    confidence: float = 0.95
    momentum: float = 0.95
    cutmix: float = 0.5
    feature_dropout: float = 0.5
    feature_noise: float = 0.1
    photometric: Any = None
    n_labeled: int | None = None
    positive_fraction: Any = "auto"

    _learns_from_unlabeled: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [str],
        "loss": [str, callable],
        "consistency_weight": [Interval(Real, 0, None, closed="left")],
        "confidence": [Interval(Real, 0, 1, closed="both")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "cutmix": [Interval(Real, 0, 1, closed="both")],
        "feature_dropout": [Interval(Real, 0, 1, closed="both")],
        "feature_noise": [Interval(Real, 0, None, closed="left")],
        "n_labeled": [Interval(Integral, 1, None, closed="left"), None],
        "positive_fraction": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        assert samples.masks is not None
        batch_size = self._setting("batch_size")
        n_labeled = self.n_labeled or -(-batch_size // 2)
        if n_labeled > batch_size:
            raise ValueError(
                f"n_labeled={n_labeled} is more than batch_size={batch_size}; expected batch_size "
                "or less."
            )
        labeled, positive = samples.with_mask(), samples.masks.show_findings()
        fraction = self._setting("positive_fraction")
        rare = positive.any() and positive.sum() < fraction * labeled.sum()
        mixing = MixingSampler(positive, fraction) if rare else None
        if labeled.all():
            return mixing
        return TwoStreamSampler(labeled, n_labeled, batch_size - n_labeled, mixing=mixing)

    def _make_objective(self, samples: Samples) -> Objective:
        student = segmentation_network(
            architecture=self._setting("architecture"),
            encoder=self._setting("encoder"),
            encoder_weights=self._setting("encoder_weights"),
            in_channels=samples.images.n_channels,
            n_classes=self.n_classes_,
        )
        return WeakToStrong(
            student,
            shares_encoder=self._setting("encoder_rate") == 0,
            views=StrongViews(
                cutmix=self.cutmix,
                feature_dropout=self.feature_dropout,
                feature_noise=self.feature_noise,
                photometric=as_augmentation(self.photometric) or PHOTOMETRIC,
            ),
            loss=self.loss,
            consistency_weight=self.consistency_weight,
            confidence=self.confidence,
            momentum=self.momentum,
            label_weight=self._term_weight,
        )

    def _to_start(self, objective: Any) -> nn.Module:
        return objective.student
