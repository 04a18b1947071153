import numpy as np
import pytest
from segclf_plugins.summarizers import ThresholdSummarizer, TunedThresholdSummarizer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes


def rule(summarizer):
    return summarizer.threshold_, summarizer.min_area_, summarizer.score_


def random_maps(n=24, k=1, seed=0, dtype=np.float32):
    """Faint maps with specks: no rule at one half tells them apart, another one nearly does."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % (k + 1)
    maps = random.random((n, k, 8, 8)) * 0.2
    for each, label in zip(maps, y, strict=True):
        if label:
            each[label - 1, : random.integers(1, 5)] += 0.25
        each[:, 0, 0] = 0.9
    return maps.round(1).astype(dtype), y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_no_rule_of_the_grid_is_better(seed, dtype):
    P, y = random_maps(seed=seed, dtype=dtype)
    tuned = TunedThresholdSummarizer().fit(P, y)
    grid = {"threshold": np.arange(1, 20) / 20, "min_area": [*range(1, 65)]}
    every = [
        balanced_accuracy_score(
            y, ThresholdSummarizer(threshold=t, min_area=area).fit(P, y).predict(P)
        )
        for t in grid["threshold"][::3]
        for area in grid["min_area"][::3]
    ]
    reached = balanced_accuracy_score(y, tuned.predict(P))
    assert reached == pytest.approx(tuned.score_)
    assert reached >= max(every) > 0.8
    assert balanced_accuracy_score(y, ThresholdSummarizer().fit(P, y).predict(P)) == 0.5


@pytest.mark.parametrize("pooling", ["mean", "rank", "max"])
def test_it_is_the_rule_based_summarizer_with_that_rule(pooling):
    P, y = random_maps()
    tuned = TunedThresholdSummarizer(pooling=pooling).fit(P, y)
    threshold, min_area, _ = rule(tuned)
    plain = ThresholdSummarizer(threshold=threshold, min_area=min_area, pooling=pooling).fit(P, y)
    np.testing.assert_array_equal(tuned.predict_proba(P), plain.predict_proba(P))


@pytest.mark.parametrize("seed", range(3))
def test_maps_that_stay_faint_are_told_apart(seed):
    """As after a short training: nothing reaches .05, and yet lesions are brighter."""
    P, y = random_maps(seed=seed)
    P = P * np.float32(0.04)
    tuned = TunedThresholdSummarizer().fit(P, y)
    values = np.unique(P).astype(np.float64)
    best = max(
        balanced_accuracy_score(y, (np.float32(t) <= P).sum(axis=(1, 2, 3)) >= area)
        for t in (values[1:] + values[:-1]) / 2
        for area in range(1, 65)
    )
    assert tuned.threshold_ < 0.05
    assert tuned.score_ == pytest.approx(best)
    assert best > 0.8
    assert balanced_accuracy_score(y, tuned.predict(P)) == pytest.approx(best)


def test_of_equal_thresholds_the_middle_is_taken():
    P = np.full((4, 1, 8, 8), 0.02)
    P[2:, 0, :4] = 0.62
    tuned = TunedThresholdSummarizer().fit(P, [0, 0, 1, 1])
    assert rule(tuned) == pytest.approx((0.32, 0.25, 1))


def test_channels_share_a_rule():
    P, y = random_maps(k=2)
    tuned = TunedThresholdSummarizer().fit(P, np.array(["a", "b", "c"])[y])
    flat = TunedThresholdSummarizer().fit(
        P.reshape(-1, 1, 8, 8), (y[:, None] == [1, 2]).ravel().astype(int)
    )
    assert rule(tuned) == rule(flat)
    assert np.mean(tuned.predict(P) == np.array(["a", "b", "c"])[y]) > 0.8
    many = TunedThresholdSummarizer().fit(P, (y[:, None] == [1, 2]).astype(int))
    assert rule(many) == rule(flat)
    assert many.predict(P).shape == (24, 2)


def test_as_many_classes_as_channels():
    P, y = random_maps(k=2)
    P, y = P[y > 0], y[y > 0]
    tuned = TunedThresholdSummarizer().fit(P, y)
    assert tuned.classes_.tolist() == [1, 2]
    assert np.mean(tuned.predict(P) == y) > 0.8


def test_unlabeled_images_teach_nothing():
    P, y = random_maps()
    expected = rule(TunedThresholdSummarizer().fit(P, y))
    longer = np.concatenate([P, np.full((2, 1, 8, 8), 0.9, dtype=P.dtype)])
    assert rule(TunedThresholdSummarizer().fit(longer, np.append(y, [-1, -1]))) == expected


def test_thresholds_to_try():
    P, y = random_maps()
    tuned = TunedThresholdSummarizer(thresholds=[0.27, 0.85]).fit(P, y)
    assert tuned.threshold_ == 0.27
    with pytest.raises(ValueError, match="grid must increase"):
        TunedThresholdSummarizer(thresholds=[0.5, 0.1]).fit(P, y)
    with pytest.raises(InvalidParameterError):
        TunedThresholdSummarizer(pooling="median").fit(P, y)


def test_in_a_search():
    P, y = random_maps()
    search = GridSearchCV(TunedThresholdSummarizer(), {"pooling": ["mean", "rank"]}, cv=2)
    assert search.fit(P, y).best_score_ > 0.8


def test_a_classifier_fits_it_on_all_images():
    assert get_tags(TunedThresholdSummarizer()).requires_fit
    shapes = make_shapes(12, image_size=32, n_objects=3, random_state=0)
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(encoder="tiny", max_epochs=1),
        summarizer="tuned_threshold",
        random_state=0,
    ).fit(shapes.images, shapes.target, masks=shapes.masks)
    reached = balanced_accuracy_score(shapes.target, classifier.predict(shapes.images))
    assert reached == pytest.approx(classifier.summarizer_.score_)
