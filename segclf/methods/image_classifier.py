"""The baseline: a network from the image straight to its label, without masks."""

from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike
from sklearn.callback import with_callbacks

from segclf.base import Automatic, NetworkClassifier, VolumeParameters, supervise
from segclf.base.front_door import holds_images
from segclf.base.validation_set import labels_of_validation, with_validation
from segclf.data import ImagesLike, LabelsLike, MasksLike, Samples, Whole, watched_files
from segclf.networks import ImageNetwork, check_options, classification_network, own_network
from segclf.objectives import Classification, Objective


class ImageClassifier(Automatic, VolumeParameters, NetworkClassifier):
    """Classify images with a network trained on labels alone.

    Parameters
    ----------
    loss : str or callable
        "cross_entropy", "focal", a function with the same signature, or any ``loss(logits,
        target)`` such as ``nn.CrossEntropyLoss()``. The order of the classes plays no part: "focal"
        has no alpha here, which weighs the background in Lin et al., since image labels have no
        background.

    See Also
    --------
    SegmentationClassifier : Classify images through their segmentation.

    Examples
    --------
    >>> from segclf import ImageClassifier
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> classifier = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    >>> classifier.fit(shapes.images, shapes.target).predict_proba(shapes.images).shape
    (8, 2)
    """

    loss: Any = "cross_entropy"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str, callable],
        "loss": [str, callable],
    }

    @with_callbacks
    @watched_files()
    def fit(
        self,
        X: ImagesLike,
        y: LabelsLike,
        sample_weight: ArrayLike | None = None,
        *,
        masks: MasksLike | None = None,
        groups: ArrayLike | None = None,
        X_val: ImagesLike | Whole | None = None,
        y_val: LabelsLike | Whole | None = None,
        masks_val: MasksLike | Whole | None = None,
    ) -> Self:
        """Train on images and labels.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : array of shape (n,) or (n, k)
            Labels, -1 where unlabeled; or a multi-label indicator.
        sample_weight : array of shape (n,), optional
            Weight of each image.
        masks : ignored
            Accepted so that this baseline takes what `SegmentationClassifier` takes.
        groups : array of shape (n,), optional
            Group of each image; the validation split keeps groups together.
        X_val, y_val, masks_val : images, labels and masks, optional
            A validation set in the form of X, y and masks, in place of `validation_fraction`. Wrap
            each in `segclf.data.Whole` so that searches do not split it into folds.

        Returns
        -------
        self
            The fitted estimator.
        """
        images = self._open(X)
        labels = self._learn_classes(y, len(images), signs=not holds_images(X))
        supervision = supervise(
            X, images=images, target=labels.encoded, sample_weight=sample_weight, groups=groups
        )
        self._choose(supervision)
        labels_val = labels_of_validation(X_val, y_val, labels)
        supervision = with_validation(
            supervision, X_val, target=labels_val and labels_val.encoded, reader=self
        )
        samples = supervision.samples(self.image_size_, dense=False)
        samples.sampler = self._make_sampler(samples)
        self._learn(samples, strata=labels.encoded, groups=supervision.groups, X=X, y=y)
        return self

    def _make_objective(self, samples: Samples) -> Objective:
        network = self._network(samples)
        return Classification(network, loss=self.loss, class_weight=self._class_weight())

    def _network(self, samples: Samples) -> ImageNetwork:
        counts = {"in_channels": samples.images.n_channels, "n_classes": len(self.classes_)}
        strides = self._strides(samples.images, samples.size)
        encoder, weights = self._setting("encoder"), self._setting("encoder_weights")
        if callable(encoder):
            options = {"encoder_weights": weights, "encoder_strides": strides}
            check_options(encoder, pretrainer=self.pretrainer, **options)
            return own_network(make=encoder, dense=False, **counts)
        return classification_network(
            encoder=encoder, encoder_weights=weights, encoder_strides=strides, **counts
        )
