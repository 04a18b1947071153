import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.reports import framing_report

N = 60
RANDOM = np.random.RandomState(0)
LABELS = np.arange(N) % 2
MASKS = np.zeros((N, 8, 8), dtype=int)
MASKS[1::2, 2:4, 2:6] = 1
IMAGES = MASKS + RANDOM.normal(scale=0.1, size=MASKS.shape)
SETTINGS = {"train_sizes": [0.5, 1.0], "cv": 3, "n_patches": 100, "patch_size": 3}
SETTINGS = {
    **SETTINGS,
    "cost_per_mask": 3.0,
    "cost_per_label": 1.0,
    "random_state": 0,
    "n_resamples": 200,
}


class Reader(ClassifierMixin, BaseEstimator):
    """Reads the mean brightness with so much noise; notes what it was trained on."""

    def __init__(self, noise=0.0, log=None):
        self.noise, self.log = noise, log

    def fit(self, X, y, masks=None):
        self.classes_, self.multilabel_ = np.unique(y), np.ndim(y) == 2
        if self.log is not None:
            self.log.append((len(X), None if masks is None else len(masks)))
        return self

    def predict_proba(self, X):
        shown = (X > 0.5).mean(axis=(1, 2)) * 4
        noise = np.random.RandomState(len(X)).normal(scale=self.noise, size=len(X))
        positive = shown + noise
        first = positive if self.multilabel_ else 1 - positive
        return np.stack([first, positive], axis=1)


def report(segmentation_noise, classification_noise, X=IMAGES, y=LABELS, masks=MASKS, **changed):
    return framing_report(
        X,
        y,
        masks,
        segmentation=Reader(segmentation_noise),
        classification=Reader(classification_noise),
        **{**SETTINGS, **changed},
    )


@pytest.mark.parametrize(
    ("noises", "verdict", "words"),
    [
        ((0, 2), "masks", "Label masks."),
        ((2, 0), "labels", "Label images, not masks."),
        ((2, 2), "unclear", "Not enough data to tell"),
    ],
)
def test_the_verdict_follows_what_was_measured(noises, verdict, words):
    found = report(*noises)
    assert found.verdict == verdict
    assert found.recommendation.startswith(words)
    assert found.equal_cost.low <= found.equal_cost.estimate <= found.equal_cost.high


def test_what_is_counted():
    found = report(0, 0)
    assert (found.n_images, found.n_positive, found.n_masks) == (60, 30, 60)
    assert found.n_pixels == MASKS.size
    np.testing.assert_allclose(found.target_sizes, np.full(30, 1 / 8))
    assert found.divergence.scale == pytest.approx(8)
    assert found.divergence.pixel.estimate > 3  # .1 of noise around 0 and 1
    assert found.classification.cost.tolist() == [[20] * 3, [40] * 3]
    assert found.segmentation.cost.tolist() == [[50] * 3, [100] * 3]
    assert found.segmentation.n_masks.tolist() == [[10] * 3, [20] * 3]
    assert found.affordable.n_images.tolist() == [[16] * 3]
    assert found.affordable.cost.tolist() == [[40] * 3]


def test_both_framings_train_on_the_same_images():
    log = []
    framing_report(
        IMAGES, LABELS, MASKS, segmentation=Reader(log=log), classification=Reader(), **SETTINGS
    )
    assert log == []  # clones were trained, not what was handed over
    log = Shared()
    framing_report(
        IMAGES, LABELS, MASKS, segmentation=Reader(log=log), classification=Reader(), **SETTINGS
    )
    assert [size for size, _ in log.entries] == [20] * 3 + [40] * 3 + [16] * 3
    assert all(size == n_masks for size, n_masks in log.entries)


class Shared:
    """A list that clones share."""

    def __init__(self):
        self.entries = []

    def append(self, entry):
        self.entries.append(entry)

    def __deepcopy__(self, memo):
        return self


def test_networks_of_both_take_as_many_steps_and_it_says_how_many():
    small = {"encoder": "tiny", "batch_size": 8, "random_state": 0}
    found = framing_report(
        IMAGES,
        LABELS,
        MASKS,
        segmentation=SegmentationClassifier(segmenter=SupervisedSegmenter(**small, max_epochs=1)),
        classification=ImageClassifier(**small, max_epochs=2),
        **SETTINGS,
    )
    expected = [[2 * 3] * 3, [2 * 5] * 3]  # 20 and 40 images
    assert found.classification.n_steps.tolist() == expected
    assert found.segmentation.n_steps.tolist() == expected
    assert found.affordable.n_steps.tolist() == expected[-1:]
    assert found.to_dict()["segmentation"]["n_steps"] == [6, 10]
    line = next(line for line in str(found).splitlines() if line.endswith("of all labels"))
    assert line.split()[:3] == ["16", "8", "10"]


def test_unlabeled_images_are_left_out_and_negative_masks_are_free():
    labels = np.append(LABELS, [-1, -1])
    images = np.concatenate([IMAGES, IMAGES[:2]])
    masks = [*(m if m.any() else None for m in MASKS), None, MASKS[1]]
    found, plain = report(0, 2, images, labels, masks), report(0, 2)
    assert (found.n_images, found.n_masks, found.n_pixels) == (60, 30, plain.n_pixels)
    assert found.equal_cost == plain.equal_cost


def test_masks_beyond_all_means():
    found = report(0, 2, cost_per_mask=1000.0)
    assert found.affordable is None
    assert found.equal_cost is None
    assert found.verdict == "unclear"
    assert "does not pay for enough masks" in found.recommendation
    assert found.to_dict()["affordable"] is None


def test_groups_are_kept_together_and_sampled_together():
    groups = np.arange(N) // 10
    wide, narrow = report(1, 2, groups=groups, cv=2), report(1, 2, cv=2)
    assert wide.same_images != narrow.same_images
    assert wide.classification.n_images[-1].tolist() == [30, 30]


def test_classes_of_any_name_and_indicators():
    named = report(0, 2, y=np.array(["none", "tumor"])[LABELS])
    assert named.verdict == "masks"
    indicator = np.stack([LABELS, LABELS], axis=1)
    indicator[1] = [1, 0]
    channels = np.stack([MASKS, MASKS], axis=1)
    channels[1, 1] = 0
    assert report(0, 2, y=indicator, masks=channels).verdict == "masks"


def test_it_reads_plainly_and_is_json():
    found = report(0, 2)
    text, values = str(found), json.loads(json.dumps(found.to_dict()))
    assert text.startswith(found.recommendation)
    assert "60, of which 30 positive (50%)" in text
    assert "median 12.50%" in text
    assert "Divergence in nats, lower bounds" in text
    assert len([line for line in text.splitlines() if line.endswith("labels")]) == 3
    assert values["verdict"] == "masks"
    assert values["classification"]["n_images"] == [20, 40]
    assert values["divergence"]["bound"]["estimate"] == found.divergence.bound.estimate


def test_same_seed_same_report():
    assert report(1, 1).to_dict() == report(1, 1).to_dict()


def test_no_image_without_a_finding():
    with pytest.raises(ValueError, match="Every image is positive"):
        report(0, 0, y=np.stack([LABELS, 1 - LABELS], axis=1), masks=np.stack([MASKS] * 2, axis=1))


def test_no_mask_with_a_finding():
    with pytest.raises(ValueError, match="No mask of a positive image shows a finding"):
        report(0, 0, masks=np.zeros_like(MASKS))
