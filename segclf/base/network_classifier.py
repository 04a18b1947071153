"""Classifiers of one network: from the scores of the classes to labels."""

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
    """What classifiers share whose ``network_`` gives every image a score per class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weight of each class in the loss of the labels.
    class_balanced : bool
        Whether batches hold every class equally often, in expectation, instead of as often as there
        are images of it; of an indicator every label, and the images without any. An epoch still
        has as many places as there are images. Instead of ``class_weight="balanced"``, where a
        class is so rare that most batches would not show it; both together count it twice.
    test_time_flips : {"horizontal", "vertical", "both", "quarter_turns"} or None
        Probabilities, also those of masks, are the mean over an image as it is and flipped:
        mirrored left and right, top and bottom, both of these (four ways), or with quarter turns
        (all eight; images that are not square turn by 180 degrees only). So many times as long;
        None is off.
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
        """Return as images what the network looks at, where that is something else."""
        return X

    def _learn_classes(self, y: Any, n_samples: int, *, signs: bool = False) -> Labels:
        """Check the labels, and learn the classes and their weights.

        ``classes_`` tells what a fold holds that is refused for having a single class.
        """
        labels = encode_labels(y, n_samples, signs=signs)
        check_classes(self, labels.classes)
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        require_two_classes(labels)
        self._weights = labels.weights(self.class_weight)
        return labels

    def _make_sampler(self, samples: Samples) -> Sampler | None:
        """Return which images each batch holds; None is each once an epoch."""
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
