"""An unfitted estimator whose "auto" parameters are replaced by their values."""

from typing import Any

from segclf.base.automatic import RULES, chosen
from segclf.methods.image_classifier import ImageClassifier
from segclf.methods.segmentation import SegmentationClassifier
from segclf.methods.supervised_segmenter import SupervisedSegmenter
from segclf.reports.proposal.candidates import Candidate
from segclf.reports.proposal.labeled_images import LabeledImages
from segclf.training import choose_device


def explicit(data: LabeledImages, candidate: Candidate, seed: int) -> Any:
    """Return an unfitted classifier with an encoder and without any "auto" parameter."""
    network: Any = SupervisedSegmenter() if data.shows_findings else ImageClassifier()
    network.set_params(
        encoder=candidate.encoder,
        encoder_weights=candidate.encoder_weights,
        device=str(choose_device("auto")),
        precision="fp32",
    )
    given = network.get_params(deep=False)
    values = chosen(given, data.facts)
    network.set_params(**{name: values[name] for name in RULES if name in given})
    if not data.shows_findings:
        return network.set_params(random_state=seed)
    network.set_params(label_weight=_label_weight(data))
    return SegmentationClassifier(
        segmenter=network, negative_class=data.negative_class, random_state=seed
    )


def network_of(classifier: Any) -> Any:
    """Return the estimator that trains the network: the segmenter, fitted if the classifier is."""
    if not isinstance(classifier, SegmentationClassifier):
        return classifier
    return classifier.segmenter_ if hasattr(classifier, "classes_") else classifier.segmenter


def with_network(classifier: Any, **params: Any) -> Any:
    """Set parameters of the estimator that trains the network, in place."""
    at = "segmenter__" if isinstance(classifier, SegmentationClassifier) else ""
    return classifier.set_params(**{f"{at}{name}": value for name, value in params.items()})


def _label_weight(data: LabeledImages) -> float:
    segmenter = SupervisedSegmenter()
    segmenter.image_size_ = None
    segmenter._check_targets(data.supervision)
    return segmenter.label_weight_
