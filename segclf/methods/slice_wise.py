"""Volumes, slice by slice: a segmenter of images is trained on slices and segments each.

This is the baseline for three-dimensional networks, and the way to use a pretrained encoder of
images on volumes. Neighboring slices as further channels make it "2.5-D", after Roth et al., "A new
2.5D representation for lymph node detection using random sets of deep convolutional neural network
observations", MICCAI 2014, whose views are orthogonal planes instead of neighbors.
"""

from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from segclf.axes import N_SPATIAL_OF_VOLUMES
from segclf.base import Segmenter
from segclf.base.checkpoint_parameters import CheckpointParameters
from segclf.base.front_door import check_images
from segclf.base.maps import MapBatches, Maps, processed
from segclf.base.mask_targets import MaskTargets
from segclf.base.nothing_found import warn_once
from segclf.base.parts import as_a_part
from segclf.base.seeding import seed_part
from segclf.base.segmenter_ensemble import decide_as, map_batches
from segclf.base.slices import (
    SliceChoice,
    as_slices,
    one_by_one,
    volume_by_volume,
    whole_of_slices,
    with_room,
)
from segclf.base.spatial import require_images
from segclf.base.supervision import Supervision, supervise
from segclf.base.validation_set import with_validation
from segclf.data import Images, ImagesLike, LabelsLike, MasksLike, Whole, watched_files
from segclf.methods.supervised_segmenter import SupervisedSegmenter


@Segmenter.register
class SliceWise(CallbackSupportMixin, MaskTargets, CheckpointParameters):
    """Segment volumes with a segmenter of images, one slice at a time.

    Volumes are arrays (n, d, h, w), or (n, d, h, w, c) with channels, torch tensors (n, c, d, h,
    w), or lists of arrays (d, h, w) or (d, h, w, c) of different sizes; their masks are (n, d, h,
    w), or (n, k, d, h, w) if a voxel may have several classes. Volumes are cut into slices along
    the first spatial axis. Slices are not copied before they are needed.

    A volume labeled 0 needs no mask: its slices are empty. Any other label of a volume without a
    mask is not used, since it does not tell which slices show the finding.

    Parameters
    ----------
    segmenter : segmenter or None
        Segmenter to train on the slices (h, w) and their masks; it may have a frozen encoder, a
        pretrainer or pseudo-labels. None means ``SupervisedSegmenter()``. Any estimator with
        ``fit(X, masks)`` and ``predict_proba(X)`` will do. Validation splits and folds inside it
        keep the slices of a volume together.
    neighbors : int
        Number of slices on either side that are added to each slice as channels, in their order: 1
        makes three channels of a gray slice. At both ends the outermost slice is repeated.
    max_slices : int or None
        Number of slices of each volume to train on, at most, chosen at random; None means all.
    finding_fraction : float
        Share of these that show a finding, as far as the volume has them. Ignored without
        `max_slices`.
    channels : {"first", "last"} or None
        Position of the channel axis of arrays. None takes a last axis of length 1, 3 or 4, or of up
        to 16 if shorter than all spatial axes, as channels, and raises an error otherwise.
    post_processing : callable or None
        Function that `predict` applies to each mask of a volume, (d, h, w) of ids or (k, d, h, w)
        of 0 and 1, such as ``segclf.data.MaskCleaner(n_spatial=3)``. It comes after the
        post-processing of `segmenter`, which sees slices. Probabilities are unchanged.
    random_state : int, RandomState or None
        Decides which slices are chosen, and seeds `segmenter`; with None, `segmenter` keeps its own
        seed.

    Attributes
    ----------
    segmenter_ : segmenter
        The trained segmenter of slices.
    n_classes_ : int
        Number of mask ids including the background, or of channels of multi-label masks.
    classes_ : array of shape (n_classes,)
        The mask ids, or the numbers of the channels.
    multilabel_ : bool
        Whether a voxel may have several classes.
    n_channels_ : int
        Number of channels of the volumes, without neighbors.
    n_slices_ : int
        Number of slices in training.
    image_scale_ : dict
        The range of the volumes' voxels, with which later volumes must agree.

    See Also
    --------
    SegmentationClassifier : Classifies volumes through such masks.

    Examples
    --------
    >>> from segclf import SliceWise, SupervisedSegmenter
    >>> from segclf.datasets import make_shapes
    >>> volumes = make_shapes(4, image_size=32, depth=5, n_objects=3, random_state=0)
    >>> segmenter = SliceWise(SupervisedSegmenter(encoder="tiny", max_epochs=1), neighbors=1)
    >>> segmenter = segmenter.fit(volumes.images, volumes.masks)
    >>> segmenter.predict(volumes.images).shape, segmenter.predict_proba(volumes.images).shape
    ((4, 5, 32, 32), (4, 2, 5, 32, 32))
    """

    segmenter: Any = field(default=None, kw_only=False)
    neighbors: int = 0
    max_slices: int | None = None
    finding_fraction: float = 0.5
    channels: Any = None
    post_processing: Any = None
    random_state: Any = None

    _n_spatial: ClassVar[int] = N_SPATIAL_OF_VOLUMES
    _takes_checked_masks: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "segmenter": [HasMethods(["fit", "predict_proba"]), None],
        "neighbors": [Interval(Integral, 0, None, closed="left")],
        "max_slices": [Interval(Integral, 1, None, closed="left"), None],
        "finding_fraction": [Interval(Real, 0, 1, closed="both")],
        "channels": [StrOptions({"first", "last"}), None],
        "post_processing": [callable, None],
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
        """Train the segmenter on slices.

        Parameters
        ----------
        X : array, list or tensor
            The n volumes.
        y : array (n, d, h, w) or (n, k, d, h, w), list or None
            Mask ids, 0 the background, -1 an unlabeled voxel; or multi-label masks of 0,
            1 and -1. A list may hold None for a volume without a mask.
        sample_weight : array of shape (n,), optional
            Weight of each volume, and of all its slices.
        labels : array of shape (n,) or (n, k), optional
            The mask id that a volume shows, 0 for none, -1 where unlabeled; or a multi-label
            indicator. Only labels of 0 are used.
        groups : array of shape (n,), optional
            Group of each volume; by default each is its own. `segmenter` holds out whole groups.
        X_val, y_val, labels_val : volumes, masks and labels, optional
            A validation set in the form of X, y and labels; its slices are passed to `segmenter`.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        segmenter = self._make_segmenter()
        said = {"masks": y, "labels": labels, "sample_weight": sample_weight, "groups": groups}
        given = self._supervise(X, said, segmenter)
        given = with_validation(given, X_val, masks=y_val, labels=labels_val, reader=self)
        random = check_random_state(self._seeds)
        if self.random_state is not None:
            seed_part(segmenter, random.randint(np.iinfo(np.int32).max))
        choice = SliceChoice(self.max_slices, self.finding_fraction, random)
        slices = as_slices(given, neighbors=self.neighbors, choice=choice)
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self)
        with as_a_part(context.subcontext(task_name="segmenter"), segmenter, self):
            slices.fit(segmenter)
        self.segmenter_, self.n_slices_ = segmenter, len(slices)
        self.n_classes_, self.multilabel_ = given.masks.n_classes, given.masks.multilabel
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes=dict)
        return self

    def predict(self, X: ImagesLike) -> Maps:
        """Return masks at the volumes' own size.

        Returns
        -------
        array (n, d, h, w) of ids or (n, k, d, h, w) of 0 and 1, uint8, or a list of them
            A list if the volumes have several sizes.

        Raises
        ------
        MemoryError
            If the masks of all volumes do not fit into memory, raised after the first slices.
        """
        return volume_by_volume(self._open(X), self._mask)

    def predict_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, masks (1, d, h, w) or (1, k, d, h, w)); one volume is in memory."""
        yield from one_by_one(self._open(X), self._mask)

    def predict_proba(self, X: ImagesLike) -> Maps:
        """Return the probability of each class at each voxel.

        Returns
        -------
        array (n, n_classes, d, h, w), float32, or a list of them
            A list if the volumes have several sizes. Exclusive classes sum to 1.
        """
        return volume_by_volume(self._open(X), self._map)

    def predict_proba_batches(self, X: ImagesLike) -> MapBatches:
        """Yield (indices, probabilities (1, n_classes, d, h, w)); one volume is in memory."""
        yield from one_by_one(self._open(X), self._map)

    @available_if(lambda self: self._shows_layers)
    def embed_batches(self, X: ImagesLike, layer: str = "deep") -> MapBatches:
        """Yield (indices, maps (1, c, d, h', w')) of a layer, as `Segmenter.embed_batches` does."""
        volumes = self._open(X)
        for index in range(len(volumes)):
            slices = self._slices(volumes, index)
            batches = self.segmenter_.embed_batches(slices, layer)
            yield np.array([index]), whole_of_slices(len(slices), batches)[None]

    score = Segmenter.score

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The mask ids including the background, or the numbers of the channels."""
        return np.arange(self.n_classes_)

    @property
    def _shows_layers(self) -> bool:
        inner = vars(self).get("segmenter_", self.segmenter)
        return inner is None or hasattr(inner, "embed_batches")

    def _supervise(self, X: Any, said: dict[str, Any], segmenter: Any) -> Supervision:
        if said["masks"] is None and said["labels"] is None and _needs_targets(segmenter):
            raise ValueError(
                "This estimator requires y to be passed, but the target y is None. Pass masks of "
                "volumes as y, or labels of volumes as labels=."
            )
        volumes = check_images(self, X, reset=True)
        n_classes = getattr(segmenter, "n_classes", None)
        return supervise(X, images=volumes, n_classes=n_classes, **said)

    def _make_segmenter(self) -> Any:
        segmenter = SupervisedSegmenter() if self.segmenter is None else clone(self.segmenter)
        require_images(segmenter, self)
        return self._lend(segmenter)

    def _open(self, X: Any) -> Images:
        check_is_fitted(self)
        return check_images(self, X, reset=False)

    def _slices(self, volumes: Images, index: int) -> Images:
        depth = int(volumes.subset([index]).sizes()[0, 0])
        of_one = np.full(depth, index, dtype=np.intp)
        return volumes.slices(of_one, np.arange(depth), neighbors=self.neighbors)

    def _mask(self, volumes: Images, index: int, asked: Images) -> NDArray[np.uint8]:
        slices = self._slices(volumes, index)
        masks = ((r, self._decide_slices(m)) for r, m in map_batches(self.segmenter_, slices))
        return self._processed(whole_of_slices(len(slices), with_room(asked, masks))[None])[0]

    def _map(self, volumes: Images, index: int, asked: Images) -> NDArray[Any]:
        slices = self._slices(volumes, index)
        maps = with_room(asked, map_batches(self.segmenter_, slices))
        return whole_of_slices(len(slices), maps)

    def _decide(self, maps: NDArray[Any]) -> NDArray[np.uint8]:
        """Make masks of the maps (n, n_classes, d, h, w) of volumes."""
        depth = range(maps.shape[2])
        slices = [self._decide_slices(maps[:, :, number]) for number in depth]
        return self._processed(np.stack(slices, axis=-3))

    def _decide_slices(self, maps: NDArray[Any]) -> NDArray[np.uint8]:
        return decide_as(self.segmenter_, maps, multilabel=self.multilabel_)

    def _processed(self, masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return masks if self.post_processing is None else processed(masks, self.post_processing)


def _needs_targets(segmenter: Any) -> bool:
    return bool(getattr(segmenter, "_needs_targets", True))
