"""Pseudo labels: a labeler predicts the missing masks, and a fresh segmenter learns from all.

Which labeler it is makes the method: the segmenter's own predictions (self-training; Lee, "Pseudo-
label", ICML 2013 workshop), these corrected by image labels (Hooper et al., S4C, NeurIPS 2023,
section 4.3), or maps of a classifier's attention (Gadgil et al., "CheXseg", MIDL 2021), whose
mixing of experts' masks and pseudo masks within each batch is here for all of them.
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

    In each round the labeler learns from what is labeled and predicts a mask for every image
    without one; then a fresh clone of `estimator` trains on experts' and pseudo masks together.
    An image labeled 0 has an empty mask, which counts as an expert's; other labels are handed to
    the labeler. An image that the labeler drops keeps its label.

    It segments volumes where `estimator` does: "boosted", "self_training" and other labelers whose
    teacher does predict their masks.

    Parameters
    ----------
    estimator : segmenter or None
        What is trained; None means ``SupervisedSegmenter()``.
    labeler : str or pseudo-labeler
        A name among the installed pseudo-labelers, such as "boosted", "grad_cam", "irnet",
        "pretrained", "self_training" or "thresholder", or an object. Where its parameter
        ``teacher`` is None, the baseline is its teacher: `estimator` trained without pseudo masks.
    expert_weight : float or "auto"
        How often an expert's image comes in training, where one with a pseudo mask comes once.
        "auto" is 4.5 where a classifier predicts the masks ("grad_cam", "irnet"): what CheXseg's
        best probability, .9, is for 200 experts' images beside 100 others (section 3.3); and 1 for
        others, all images alike, as in S4C.
    expert_probability : float or None
        Probability that an image sampled for a batch has an expert's mask, in place of the weight,
        however many there are. 0 and 1 train on one kind alone.
    max_iter : int
        Number of rounds, at most. From the second on, the last round's segmenter is the labeler's
        ``teacher``; a labeler without this parameter has one round.
    min_confidence : float
        Pixels of less become -1. Confidence is the probability of what was predicted, for which
        the labeler must have ``predict_proba``. Images labeled 0 are certain.
    kept_share : float
        Share of the predicted pixels that is kept, the most confident ones, in each round.
    class_balanced : bool
        Whether that is the share of each class by itself, as in class-balanced self-training (Zou
        et al., ECCV 2018, section 4), or of all pixels, where easy classes win.
    baseline : bool
        Whether `report_` compares with the same estimator trained without pseudo masks.
    guard : bool
        Whether the baseline answers where `report_` finds it better, so that pseudo masks that hurt
        do no harm. With the report it costs one training more, and none where the baseline is the
        teacher; without (``baseline=False``) it does nothing.
    validation_fraction : float
        Share of the images with masks that is held out for `report_`, grouped where there are
        groups, and stratified by whether they show anything. They train nothing. With 0 nothing is
        held out, and with `baseline` both are measured by two-fold cross-fitting: for either half
        of these images all is fitted again without their masks and labels, which takes about three
        times as long; on a frozen encoder `memory` of the estimator makes it cheap.
    random_state : int, RandomState or None
        Seeds the labeler and the segmenters, all of which start alike; None leaves them their own.

    Attributes
    ----------
    estimator_ : segmenter
        The segmenter that answers: that of the last round, or the baseline.
    winner_ : {"result", "baseline"}
        Which of the two of `report_` answers. All else tells of the rounds, whoever answers.
    labeler_ : pseudo-labeler or None
        The labeler of the last round; None where there was nothing to predict.
    transduction_ : array (n, h, w) or (n, k, h, w), or list of n arrays
        All masks as used in the last round; -1 throughout for an image that was dropped.
    labeled_iter_ : array of shape (n,)
        0 for an image with an expert's mask or labeled 0, the round in which it was first predicted
        for others, -1 for one that is not used.
    n_iter_ : int
        Number of rounds.
    termination_condition_ : {"max_iter", "no_change", "all_labeled"}
        "no_change": another round would predict, or predicted, the same masks. "all_labeled": there
        was nothing to predict.
    report_ : dict
        Mean IoU of the ``result`` and of the ``baseline`` (the same annotations without pseudo
        masks, for as many steps) on the same ``samples``, and how they were
        ``measured``: "held_out", "cross_fitted", or "not", for want of something to compare.
        A labeler's errors confirm themselves: look here whether the result beats its baseline.

    See Also
    --------
    SegmentationClassifier : Hands the labels of images over by itself.

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
        """Let the labeler predict, and train on all masks.

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
            Group of each image; what is held out is whole groups.
        X_val, y_val, labels_val : images, masks and labels, optional
            A validation set, as X, y and labels; handed on to `estimator`. What
            searches must not cut into folds is given as a `segclf.data.Whole`.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        RuntimeError
            Where the labeler fails, naming its phase, the labeler and the sample; the estimator is
            then as it was before.
        """
        self._validate_params()
        supervision = self._check(X, y, labels, sample_weight, groups)
        supervision = with_validation(supervision, X_val, masks=y_val, labels=labels_val)
        seeds = check_random_state(self._seeds).randint(2**31 - 1, size=3).tolist()
        comparison = Comparison(supervision, self.validation_fraction, self.baseline, seeds[0])
        context = self._init_callback_context(max_subtasks=None)
        rounds = self._make_rounds(supervision, seeds[1:], context)
        context.call_on_fit_task_begin(estimator=self)
        for hidden in comparison.hidden:  # the first run gives the result, others are compared
            visible = supervision.hide(hidden)
            outcome = rounds.start(visible)
            while outcome.condition is None:
                outcome = rounds.go_on(visible, outcome)
            comparison.add(rounds, visible, outcome)
        self._keep(supervision, comparison, rounds)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def _check(self, X: Any, y: Any, labels: Any, sample_weight: Any, groups: Any) -> Supervision:
        """Check everything at once: errors number all of X. Masks are then in memory."""
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
            self._lend_checkpoint(part)
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
                f"expert_weight={weight} and expert_probability={probability} both say how often "
                'experts\' images come; expected one of them, and the other "auto" or None.'
            )
        takes_sampler = has_fit_parameter(estimator, "sampler")
        if is_auto(weight):
            weight = usual_weight(labeler) if takes_sampler else 1.0
        mixing = Mixing(float(weight), probability)
        if mixing != Mixing() and not takes_sampler:
            raise ValueError(
                f"expert_weight={weight} or expert_probability={probability} mix batches by a "
                f"sampler, which {type(estimator).__name__}.fit does not take; expected 1 and None."
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
