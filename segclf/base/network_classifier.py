"""Classifiers with one network: from class scores to labels."""

from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from segclf.base.batch_classifier import BatchClassifier, LabelBatches
from segclf.base.classifier import Labels, encode_labels, require_two_classes
from segclf.base.fine_tuned import FineTunedEstimator
from segclf.base.monitor import Score, label_score, truth_of_labels
from segclf.base.warm_starts import check_classes
from segclf.data import BalancedSampler, Sampler, Samples
from segclf.training import FLIPS


class NetworkClassifier(BatchClassifier, FineTunedEstimator):
    """Base class of classifiers whose ``network_`` gives every image a score for each class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weight of each class in the loss of the labels.
    class_balanced : bool
        Whether batches hold every class equally often, in expectation, instead of in proportion to
        its images. With an indicator: every label, and the images without any. The length of an
        epoch does not change. An alternative to ``class_weight="balanced"`` for a class so rare
        that most batches would not show it; both together count it twice.
    test_time_flips : {"horizontal", "vertical", "both", "quarter_turns"} or None
        Average probabilities, also those of masks, over the original image and flipped ones:
        mirrored left and right, top and bottom, both of these (four ways), or with quarter turns
        (all eight; images that are not square turn by 180 degrees only). Prediction takes that many
        times as long. None is off.
    """

    class_weight: Any = None
    class_balanced: bool = False
    test_time_flips: str | None = None

    _at_prediction: ClassVar[tuple[str, ...]] = (
        *FineTunedEstimator._at_prediction,
        "test_time_flips",
    )

    _monitors: ClassVar[tuple[str, ...]] = ("loss", "auroc", "balanced_accuracy")

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "class_balanced": ["boolean"],
        "test_time_flips": [StrOptions(set(FLIPS)), None],
    }

    def _label_batches(self, X: Any) -> tuple[int, LabelBatches]:
        check_is_fitted(self)
        flips = self.test_time_flips
        images, outputs = self._outputs(self._as_images(X), self._activate_labels, flips=flips)
        return len(images), ((indices, batch.double().numpy()) for indices, batch in outputs)

    def _as_images(self, X: Any) -> Any:
        """Return the images that the network sees, if they are not the input itself."""
        return X

    def _learn_classes(self, y: Any, n_samples: int, *, signs: bool = False) -> Labels:
        """Check the labels, and learn the classes and their weights.

        If a fold is refused because it has a single class, ``classes_`` shows which.
        """
        labels = encode_labels(y, n_samples, signs=signs)
        check_classes(self, labels.classes)
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        require_two_classes(labels)
        self._weights = labels.weights(self.class_weight)
        return labels

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        """Return the sampler of batches; None takes each image once an epoch."""
        if not self.class_balanced:
            return None
        assert samples.targets is not None
        return BalancedSampler.of_labels(samples.targets)

    def _activate_labels(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores) if self._multilabel else torch.softmax(scores.double(), dim=1)

    def _monitored(self, held_out: Samples) -> Score:
        def predict(images: Tensor) -> NDArray[Any]:
            return self._activate_labels(self.network_(images).float()).cpu().numpy()

        assert held_out.targets is not None
        truth = truth_of_labels(held_out.targets, len(self.classes_))
        return label_score(str(self.monitor), predict, truth)

    def _class_weight(self) -> Tensor | None:
        return None if self._weights is None else torch.from_numpy(self._weights)
