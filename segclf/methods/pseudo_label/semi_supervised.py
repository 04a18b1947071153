"""Pseudo-labels: a labeler predicts the missing masks, and a new segmenter learns from all masks.

The labeler decides the method: the segmenter's own predictions (self-training; Lee, "Pseudo-label",
ICML 2013 workshop), these corrected by image labels (Hooper et al., S4C, NeurIPS 2023, section
4.3), or saliency maps of a classifier (Gadgil et al., "CheXseg", MIDL 2021). CheXseg's mixing of
experts' masks and pseudo masks within each batch is available for all of them.
"""

from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackContext, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import has_fit_parameter

from segclf.base import MetaSegmenter, Supervision, check_images, supervise
from segclf.base.network_holder import is_auto
from segclf.base.nothing_found import warn_once
from segclf.base.validation_set import with_validation
from segclf.data import ImagesLike, LabelsLike, MasksLike, Whole, watched_files
from segclf.methods.pseudo_label.comparison import (
    Comparison,
    pseudo_masks_help,
    with_baseline,
)
from segclf.methods.pseudo_label.equal_steps import fix_training
from segclf.methods.pseudo_label.mixing import Mixing, usual_weight
from segclf.methods.pseudo_label.pseudo_masks import Selection, empty_by_label
from segclf.methods.pseudo_label.rounds import Rounds
from segclf.methods.pseudo_label.volumes import require_alike
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.registry import make_plugin


class PseudoLabelSemiSupervised(MetaSegmenter):
    """Segment images with a segmenter that also learns from masks that a labeler predicts.

    In each round the labeler is trained on the labeled images and predicts a mask for every image
    without one. Then a new clone of `estimator` is trained on experts' and pseudo masks together.
    An image labeled 0 has an empty mask, which counts as an expert's; other labels are passed to
    the labeler. An image that the labeler drops keeps its label.

    It segments volumes if `estimator` does. Then "boosted", "self_training" and other labelers with
    a teacher of volumes can predict the masks.

    Parameters
    ----------
    estimator : segmenter or None
        The segmenter to train; None means ``SupervisedSegmenter()``.
    labeler : str or pseudo-labeler
        The name of an installed pseudo-labeler, such as "boosted", "grad_cam", "irnet",
        "pretrained", "self_training" or "thresholder", or an object. If its parameter ``teacher``
        is None, its teacher is the baseline: `estimator` trained without pseudo masks.
    expert_weight : float or "auto"
        How often an image with an expert's mask is sampled, relative to one with a pseudo mask.
        "auto" is 4.5 for labelers with a classifier ("grad_cam", "irnet"), which corresponds to
        CheXseg's best probability, .9, with 200 experts' images and 100 others (section 3.3). For
        other labelers it is 1, so that all images count alike, as in S4C.
    expert_probability : float or None
        Probability that an image sampled for a batch has an expert's mask, whatever their number,
        in place of `expert_weight`. 0 and 1 train on one kind alone.
    max_iter : int
        Number of rounds, at most. From the second round on, the labeler's ``teacher`` is the last
        round's segmenter. A labeler without this parameter has one round.
    min_confidence : float
        Predicted pixels with a lower confidence become -1. Confidence is the probability of the
        predicted class, for which the labeler needs ``predict_proba``. Images labeled 0 are
        certain.
    kept_share : float
        Share of the predicted pixels to keep in each round, the most confident first.
    class_balanced : bool
        Whether that share applies to each class separately, as in class-balanced self-training (Zou
        et al., ECCV 2018, section 4), or to all pixels together, which favors easy classes.
    baseline : bool
        Whether `report_` compares with the same estimator trained without pseudo masks.
    guard : bool
        Whether to predict with the baseline if `report_` finds it better than the result, so that
        bad pseudo masks do no harm. It costs one more training, or none if the baseline is the
        teacher. Without a report (``baseline=False``) it has no effect.
    validation_fraction : float
        Share of the images with masks that is held out for `report_` and never trained on, by
        groups if there are any, and stratified by whether they show a finding. With 0 nothing is
        held out. Then, with `baseline`, both are measured by two-fold cross-fitting: for each half
        of these images, everything is fitted again without their masks and labels. That takes about
        three times as long; with a frozen encoder, `memory` of the estimator makes it cheap.
    random_state : int, RandomState or None
        Seeds the labeler and the segmenters, all of which start alike; with None, they keep their
        own seeds.

    Attributes
    ----------
    estimator_ : segmenter
        The segmenter that predicts: that of the last round, or the baseline.
    winner_ : {"result", "baseline"}
        Which of the two in `report_` predicts. All other attributes describe the rounds in either
        case.
    labeler_ : pseudo-labeler or None
        The labeler of the last round; None if there was nothing to predict.
    transduction_ : array (n, h, w) or (n, k, h, w), or list of n arrays
        All masks as used in the last round; all -1 for an image that was dropped.
    labeled_iter_ : array of shape (n,)
        0 for an image with an expert's mask or labeled 0, the round of the first predicted mask for
        others, -1 for an image that is not used.
    n_iter_ : int
        Number of rounds.
    termination_condition_ : {"max_iter", "no_change", "all_labeled"}
        "no_change": another round predicted, or would predict, the same masks. "all_labeled": there
        was nothing to predict.
    report_ : dict
        Mean IoU of the ``result`` and of the ``baseline`` (trained for the same number of steps
        without pseudo masks) on the same ``samples``, and how they were ``measured``: "held_out",
        "cross_fitted", or "not" if there was nothing to compare. A segmenter may learn its
        labeler's errors: check here whether the result beats its baseline.

    See Also
    --------
    SegmentationClassifier : Passes on the labels of images by itself.

    Examples
    --------
    >>> from segclf import PseudoLabelSemiSupervised, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(12, image_size=32, n_objects=3, random_state=0)
    >>> masks = [*shapes.masks[:8], None, None, None, None]
    >>> estimator = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    >>> segmenter = PseudoLabelSemiSupervised(estimator, labeler="thresholder", random_state=0)
    >>> segmenter.fit(shapes.images, masks).labeled_iter_
    array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    >>> sorted(segmenter.report_)
    ['baseline', 'measured', 'result', 'samples']
    """

    estimator: Any = field(default=None, kw_only=False)
    labeler: Any = "self_training"
    expert_weight: Any = "auto"
    expert_probability: float | None = None
    max_iter: int = 1
    min_confidence: float = 0.0
    kept_share: float = 1.0
    class_balanced: bool = True
    baseline: bool = True
    guard: bool = True
    validation_fraction: float = 0.0
    random_state: Any = None

    _answering: ClassVar[str] = "estimator_"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict", "predict_proba"]), None],
        "labeler": [str, HasMethods(["fit", "predict"])],
        "expert_weight": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "expert_probability": [Interval(Real, 0, 1, closed="both"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "min_confidence": [Interval(Real, 0, 1, closed="both")],
        "kept_share": [Interval(Real, 0, 1, closed="right")],
        "class_balanced": ["boolean"],
        "baseline": ["boolean"],
        "guard": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    @with_callbacks
    @warn_once()
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: MasksLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        labels: LabelsLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: MasksLike | Whole | None = None,
        labels_val: LabelsLike | Whole | None = None,
    ) -> Self:
        """Predict the missing masks with the labeler, and train on all masks.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array (n, h, w) or (n, k, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled pixel; or multi-label masks of 0,
            1 and -1. A list may hold paths, and None for an image without a mask.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        labels : array of shape (n,) or (n, k), optional
            The mask id that an image shows, 0 for none, -1 where unlabeled; or a multi-label
            indicator.
        groups : array of shape (n,), optional
            Group of each image; whole groups are held out.
        X_val, y_val, labels_val : images, masks and labels, optional
            A validation set in the form of X, y and labels, passed to `estimator`. Wrap each in
            `segclf.data.Whole` so that searches do not split it into folds.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        RuntimeError
            If the labeler fails; names the phase, the labeler and the sample. The estimator then
            stays unchanged.
        """
        self._validate_params()
        supervision = self._check(X, y, labels, sample_weight, groups)
        supervision = with_validation(supervision, X_val, masks=y_val, labels=labels_val)
        seeds = check_random_state(self._seeds).randint(2**31 - 1, size=3).tolist()
        comparison = Comparison(supervision, self.validation_fraction, self.baseline, seeds[0])
        context = self._init_callback_context(max_subtasks=None)
        rounds = self._make_rounds(supervision, seeds[1:], context)
        context.call_on_fit_task_begin(estimator=self)
        for hidden in comparison.hidden:  # the first run is the result, others only measure
            visible = supervision.hide(hidden)
            outcome = rounds.start(visible)
            while outcome.condition is None:
                outcome = rounds.go_on(visible, outcome)
            comparison.add(rounds, visible, outcome)
        self._keep(supervision, comparison, rounds)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def _check(self, X: Any, y: Any, labels: Any, sample_weight: Any, groups: Any) -> Supervision:
        """Check everything first, so that errors count all rows of X, and load the masks."""
        images = check_images(BaseEstimator(), X, reset=True, reader=self.estimator)
        supervision = supervise(
            X, images=images, masks=y, labels=labels, sample_weight=sample_weight, groups=groups
        )
        dtype = np.min_scalar_type(-supervision.n_ids)
        masks = (supervision.masks[index] for index in range(len(supervision)))
        small = [None if mask is None else mask.astype(dtype) for mask in masks]
        supervision = supervision.with_masks(small)
        return supervision.with_masks(empty_by_label(supervision))

    def _make_rounds(
        self, supervision: Supervision, seeds: list[int], context: CallbackContext
    ) -> Rounds:
        estimator = SupervisedSegmenter() if self.estimator is None else clone(self.estimator)
        labeler = clone(make_plugin("pseudo_labeler", self.labeler))
        for part, seed in zip((estimator, labeler), seeds, strict=True):
            self._lend(part)
            if self.random_state is not None and "random_state" in part.get_params(deep=False):
                part.set_params(random_state=seed)
        fix_training(estimator, supervision)
        require_alike(labeler, estimator)
        return Rounds(
            estimator=estimator,
            labeler=labeler,
            mixing=self._mixing(estimator, labeler),
            unlabeled=np.flatnonzero(~supervision.masks.labeled),
            max_iter=self.max_iter,
            selection=Selection(self.min_confidence, self.kept_share, self.class_balanced),
            owner=self,
            context=context,
        )

    def _mixing(self, estimator: Any, labeler: Any) -> Mixing:
        weight, probability = self.expert_weight, self.expert_probability
        if probability is not None and not is_auto(weight):
            raise ValueError(
                f"expert_weight={weight} and expert_probability={probability} both decide how "
                "often experts' images are sampled; expected expert_weight='auto' or "
                "expert_probability=None."
            )
        takes_sampler = has_fit_parameter(estimator, "sampler")
        if is_auto(weight):
            weight = usual_weight(labeler) if takes_sampler else 1.0
        mixing = Mixing(float(weight), probability)
        if mixing != Mixing() and not takes_sampler:
            raise ValueError(
                f"expert_weight={weight} and expert_probability={probability} need a sampler, "
                f"which {type(estimator).__name__}.fit does not accept; expected 1 and None."
            )
        return mixing

    def _keep(self, supervision: Supervision, comparison: Comparison, rounds: Rounds) -> None:
        outcome, report = comparison.outcomes[0], comparison.report()
        winner, estimator = "result", outcome.estimator
        if self.guard and not pseudo_masks_help(report):
            visible = supervision.hide(comparison.hidden[0])
            winner, estimator = "baseline", with_baseline(rounds, visible, outcome).baseline
        self.winner_, self.estimator_, self.report_ = winner, estimator, report
        self.labeler_ = outcome.labeler
        pairs = zip(supervision.masks.as_given(), outcome.masks, strict=True)
        self.transduction_ = supervision.fill(
            [pseudo if mask is None else mask for mask, pseudo in pairs]
        )
        self.labeled_iter_ = np.where(supervision.masks.labeled, 0, outcome.labeled_iter)
        self.n_iter_, self.termination_condition_ = outcome.n_iter, outcome.condition
