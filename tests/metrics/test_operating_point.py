import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import recall_score
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.metrics import confidence_interval, operating_point

Y = np.array([0, 0, 0, 1, 0, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.6, 0.9])


def test_by_hand():
    assert operating_point(Y, SCORE, at_sensitivity=1.0) == (pytest.approx(0.35), 1, 3 / 4)
    assert operating_point(Y, SCORE, at_sensitivity=0.5) == (pytest.approx(0.35), 1, 3 / 4)
    assert operating_point(Y, SCORE, at_sensitivity=0.3) == (0.75, 1 / 3, 1)
    assert operating_point(Y, SCORE, at_specificity=0.75) == (pytest.approx(0.35), 1, 3 / 4)
    assert operating_point(Y, SCORE, at_specificity=0.0) == (pytest.approx(0.35), 1, 3 / 4)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("least", [0.0, 0.5, 0.9, 0.95, 1.0])
def test_no_threshold_is_better(seed, least):
    """Against all thresholds there are; scores of one decimal are tied."""
    random = np.random.RandomState(seed)
    y = np.append(random.randint(0, 2, 40), [0, 1])
    score = (y * 0.2 + random.random_sample(42)).round(1)
    rates = [
        (np.mean(score[y == 1] >= cut), np.mean(score[y == 0] < cut))
        for cut in [*np.unique(score), 2.0]
    ]
    for name, side in (("at_sensitivity", 0), ("at_specificity", 1)):
        threshold, *reached = operating_point(y, score, **{name: least})
        assert reached == [np.mean(score[y == 1] >= threshold), np.mean(score[y == 0] < threshold)]
        assert reached[side] >= least
        assert reached[1 - side] == max(r[1 - side] for r in rates if r[side] >= least)


def test_a_share_that_counts_reach_exactly():
    """19 of 20 positives are .95."""
    y = np.repeat([0, 1], [5, 20])
    score = np.concatenate([[0.1, 0.2, 0.3, 0.4, 0.5], [0.35], np.linspace(0.6, 0.9, 19)])
    assert operating_point(y, score, at_sensitivity=0.95) == (pytest.approx(0.55), 0.95, 1)


def test_ends():
    assert operating_point([0, 1], [0.7, 0.2], at_sensitivity=1) == (0.2, 1, 0)
    threshold, *rates = operating_point([0, 1], [0.7, 0.2], at_specificity=1)
    assert (0.7 < threshold < 0.7000001, rates) == (True, [0, 1])
    assert operating_point([0, 1], [0.5, 0.5], at_sensitivity=0.9) == (0.5, 1, 0)
    neighbors = [1.0, np.nextafter(1.0, 2)]
    assert operating_point([0, 1], neighbors, at_sensitivity=1) == (neighbors[1], 1, 1)


def test_unlabeled_samples_do_not_count():
    plain = operating_point(Y, SCORE, at_sensitivity=0.9)
    with_others = np.append(Y, [-1, -1]), np.append(SCORE, [0.35, np.nan])
    assert operating_point(*with_others, at_sensitivity=0.9) == plain


def test_an_interval_by_groups():
    groups = np.arange(70) // 2

    def specificity(y, score):
        return operating_point(y, score, at_sensitivity=0.9).specificity

    estimate, low, high = confidence_interval(
        specificity, np.tile(Y, 10), np.tile(SCORE, 10), groups=groups, random_state=0
    )
    assert low < estimate == 0.75 < high


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "Expected at_sensitivity or at_specificity, got None and None"),
        ({"at_sensitivity": 0.9, "at_specificity": 0.9}, "got 0.9 and 0.9"),
        ({"at_sensitivity": 95}, r"must be in \[0, 1\], got 95"),
        ({"at_specificity": -1}, r"must be in \[0, 1\], got -1"),
        ({"at_sensitivity": 0.9, "y_score": SCORE[1:]}, "as many labels as scores"),
        ({"at_sensitivity": 0.9, "y_true": np.ones(7)}, "must hold both 0 and 1"),
        ({"at_sensitivity": 0.9, "y_score": [np.nan] * 7}, "NaN for sample 0"),
    ],
)
def test_refusals(changed, words):
    with pytest.raises(ValueError, match=words):
        operating_point(**{"y_true": Y, "y_score": SCORE, **changed})


SMALL = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
CLASSIFIERS = [
    ImageClassifier(**SMALL),
    SegmentationClassifier(segmenter=SupervisedSegmenter(**SMALL)),
]


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_our_classifiers_work_at_a_threshold(classifier):
    shapes = make_shapes(16, image_size=16, n_objects=2, random_state=0)
    names = np.array(["none", "target"])[shapes.target]
    fitted = clone(classifier).fit(shapes.images, names)
    score = fitted.predict_proba(shapes.images)[:, 1]
    point = operating_point(shapes.target, score, at_sensitivity=0.9)
    fixed = FixedThresholdClassifier(
        FrozenEstimator(fitted), threshold=point.threshold, response_method="predict_proba"
    )
    predicted = fixed.fit(shapes.images, names).predict(shapes.images)
    assert recall_score(names, predicted, pos_label="target") == point.sensitivity
    assert recall_score(names, predicted, pos_label="none") == point.specificity
    tuned = TunedThresholdClassifierCV(FrozenEstimator(fitted), cv="prefit", refit=False)
    assert tuned.fit(shapes.images, names).predict(shapes.images).shape == (16,)
