import numpy as np
import pytest
from segclf_plugins.summarizers import ThresholdSummarizer, binary_label, probabilistic_label
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

POOLINGS = ("mean", "rank", "top_mean", "max")


def masks_with(*n_pixels, size=224, value=0.9):
    """One mask for each count of pixels at `value`, all others 0."""
    P = np.zeros((len(n_pixels), 1, size * size), dtype=np.float32)
    for image, n in zip(P, n_pixels, strict=True):
        image[0, :n] = value
    return P.reshape(len(n_pixels), 1, size, size)


def random_masks(n, k, size=9, seed=0):
    """Masks of every kind: empty, full, faint, sure, ties at one half."""
    generator = np.random.default_rng(seed)
    shift = generator.normal(size=(n, k, 1, 1)) / 2
    masks = np.clip(generator.random((n, k, size, size)) + shift, 0, 1)
    return np.round(masks, 1).astype(np.float32)


def test_hand_values():
    P = masks_with(99, 100, 101)[:, 0]
    np.testing.assert_array_equal(binary_label(P), [0, 1, 1])
    np.testing.assert_allclose(probabilistic_label(P), [0, 0.9, 0.9])


@pytest.mark.parametrize("t", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pixel_at_the_threshold_counts(t, dtype):
    at = np.full((4, 4), t, dtype=dtype)
    below = np.nextafter(at, dtype(0))
    for pooling in POOLINGS:
        high, low = probabilistic_label(np.stack([at, below]), threshold=t, pooling=pooling)
        assert low < t <= high
    np.testing.assert_array_equal(binary_label([at, below], threshold=t, min_area=16), [1, 0])


def test_the_area_is_a_fraction_or_pixels():
    for size in (224, 448, 112):
        n = round(100 * (size / 224) ** 2)
        np.testing.assert_array_equal(
            binary_label(masks_with(n - 1, n, size=size)[:, 0]), [0, 1], err_msg=str(size)
        )
    P = masks_with(6, 7, size=8)[:, 0]
    np.testing.assert_array_equal(binary_label(P, min_area=7), [0, 1])
    np.testing.assert_array_equal(binary_label(P, min_area=6.5 / 64), [0, 1])
    np.testing.assert_array_equal(binary_label(masks_with(0, 1, size=8)[:, 0]), [0, 1])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_an_image_smaller_than_the_area_is_negative_with_a_score(pooling):
    P = np.full((8, 8), 0.9)
    assert binary_label(P, min_area=100) == 0
    assert probabilistic_label(P, min_area=100, pooling=pooling) == np.nextafter(0.5, 0)


@pytest.mark.parametrize("pooling", ["mean", "rank", "max"])
def test_raising_any_pixel_never_lowers_the_label(pooling):
    generator = np.random.default_rng(0)
    for P in random_masks(40, 1):
        before = binary_label(P, min_area=30)
        P = P.copy()
        P[0, generator.integers(9), generator.integers(9)] = 1
        assert (binary_label(P, min_area=30) >= before).all()


def test_scores_by_their_definition():
    masks = random_masks(50, 2)
    for P, mean, rank, top, highest in zip(
        masks.reshape(100, 81),
        *(probabilistic_label(masks, min_area=20, pooling=p).ravel() for p in POOLINGS),
        strict=True,
    ):
        P = P.astype(np.float64)
        label = (P.astype(np.float32) >= 0.5).sum() >= 20
        chosen = P[P >= 0.5] if label else P[P < 0.5]
        expected = chosen.mean() if len(chosen) else 0.5
        np.testing.assert_allclose(mean, expected, rtol=1e-6)
        np.testing.assert_allclose(rank, sorted(P)[-20], rtol=1e-6)
        np.testing.assert_allclose(top, np.mean(sorted(P)[-20:]), rtol=1e-6)
        np.testing.assert_allclose(highest, P.max() if label else min(P.max(), 0.5), rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_scores_are_separated_by_the_threshold(pooling, threshold):
    P = random_masks(200, 1)[:, 0]
    score = probabilistic_label(P, threshold=threshold, min_area=30, pooling=pooling)
    if pooling == "top_mean":
        label = np.sort(P.reshape(200, -1), axis=1)[:, -30:].mean(axis=1, dtype="f8")
        label = label >= np.float32(threshold)
    else:
        label = binary_label(P, threshold=threshold, min_area=30) == 1
    assert 0 < label.sum() < 200
    assert score[~label].max() < threshold <= score[label].min()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("k", "n_classes"), [(1, 2), (3, 4)])
def test_the_largest_probability_is_the_label(k, n_classes, pooling, threshold, dtype):
    P = random_masks(300, k)
    y = np.arange(300) % n_classes
    rule = {"threshold": threshold, "min_area": 45}
    summarizer = ThresholdSummarizer(pooling=pooling, **rule).fit(P, y)
    proba = summarizer.predict_proba(P)
    label = summarizer.predict(P)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.min() >= 0
    np.testing.assert_array_equal(label, summarizer.classes_[proba.astype(dtype).argmax(axis=1)])
    if pooling != "top_mean":
        positive = binary_label(P, **rule)
        np.testing.assert_array_equal(label > 0, positive.any(axis=1))
        assert positive[label > 0, label[label > 0] - 1].all()


def test_binary_probabilities_are_algorithm_2():
    P = random_masks(50, 1)
    proba = ThresholdSummarizer(pooling="mean").fit(P, np.arange(50) % 2).predict_proba(P)
    np.testing.assert_allclose(proba[:, 1], probabilistic_label(P)[:, 0], atol=2e-6)


def test_another_threshold_becomes_one_half():
    P = np.array([0, 0.1, 0.2, 0.6, 1])[:, None, None, None] * np.ones((5, 1, 4, 4))
    summarizer = ThresholdSummarizer(threshold=0.2).fit(P, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(
        summarizer.predict_proba(P)[:, 1], [0, 0.25, 0.5, 0.75, 1], atol=2e-6
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_areas_and_sureness_order_images(pooling):
    P = np.concatenate([masks_with(*range(0, 50, 5), size=20, value=v) for v in (0.3, 0.7)])
    y = np.repeat([0, 1], 10)
    y[[10, 11]] = 0  # empty, and five pixels of four hundred
    score = ThresholdSummarizer(min_area=10, pooling=pooling).fit(P, y).predict_proba(P)[:, 1]
    assert roc_auc_score(y, score) == 1


def test_one_channel_for_each_class():
    P = np.zeros((3, 3, 4, 4))
    P[[0, 1, 2], [2, 0, 1]] = [[[0.9]], [[0.2]], [[0.6]]]
    summarizer = ThresholdSummarizer().fit(P, ["b", "c", "a"])
    np.testing.assert_array_equal(summarizer.predict(P), ["c", "a", "b"])
    np.testing.assert_allclose(summarizer.predict_proba(P).sum(axis=1), 1)
    np.testing.assert_allclose(summarizer.predict_proba(np.zeros((1, 3, 4, 4))), 1 / 3)


def test_the_first_class_is_nothing_there():
    P = np.zeros((4, 2, 4, 4))
    P[1, 0], P[2, 1] = 0.8, 0.7
    P[3] = [[[0.7]], [[0.9]]]
    summarizer = ThresholdSummarizer().fit(P, [5, 7, 9, 9])
    np.testing.assert_array_equal(summarizer.predict(P), [5, 7, 9, 9])


def test_several_labels_at_once():
    P = random_masks(60, 3)
    y = np.eye(3, dtype=int)[np.arange(60) % 3]
    summarizer = ThresholdSummarizer(min_area=45, pooling="mean").fit(P, y)
    proba = summarizer.predict_proba(P)
    np.testing.assert_array_equal(summarizer.predict(P), binary_label(P, min_area=45))
    np.testing.assert_array_equal(summarizer.predict(P), proba >= 0.5)
    np.testing.assert_array_equal(summarizer.classes_, [0, 1, 2])
    assert proba.shape == (60, 3)


def test_lists_of_sizes_agree_with_arrays():
    P = random_masks(20, 2)
    y = np.arange(20) % 3
    summarizer = ThresholdSummarizer(min_area=40).fit(list(P), y)
    np.testing.assert_array_equal(summarizer.predict_proba(list(P)), summarizer.predict_proba(P))
    mixed = [P[0], random_masks(1, 2, size=17)[0]]
    alone = [summarizer.predict_proba(image[None]) for image in mixed]
    np.testing.assert_array_equal(summarizer.predict_proba(mixed), np.concatenate(alone))


def blobs(*sizes_and_values, size=64):
    """One image, a channel for each (n pixels, their probability)."""
    P = np.full((1, len(sizes_and_values), size * size), 0.02, dtype=np.float32)
    for channel, (n, value) in zip(P[0], sizes_and_values, strict=True):
        channel[:n] = value
    return P.reshape(1, -1, size, size)


@pytest.mark.parametrize("as_given", [np.asarray, list])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_larger_finding_names_the_image(pooling, as_given):
    P = as_given(blobs((36, 0.97), (3600, 0.93)))
    summarizer = ThresholdSummarizer(pooling=pooling).fit(
        np.zeros((3, 2, 64, 64)), ["nothing", "speck", "z"]
    )
    nothing, speck, large = summarizer.predict_proba(P)[0]
    assert summarizer.predict(P) == ["z"]
    assert nothing + speck + large == pytest.approx(1)
    assert speck / large == pytest.approx(36 * 0.97 / (3600 * 0.93), rel=1e-4)
    alone = summarizer.predict_proba(as_given(blobs((36, 0.97), (0, 0))))[0]
    other = summarizer.predict_proba(as_given(blobs((0, 0), (3600, 0.93))))[0]
    assert nothing / large == pytest.approx(min(alone[0] / alone[1], other[0] / other[2]))


def test_without_a_class_of_nothing_the_larger_one_wins_too():
    P = np.concatenate([blobs((36, 0.97), (3600, 0.93)), blobs((36, 0.97), (36, 0.2))])
    summarizer = ThresholdSummarizer().fit(P, ["a", "b"])
    np.testing.assert_array_equal(summarizer.predict(P), ["b", "a"])


def test_a_finding_below_its_area_is_behind_all_that_reach_it():
    P = blobs((36, 0.97), (3600, 0.93), (3, 0.99))
    proba = ThresholdSummarizer(min_area=30).fit(np.zeros((4, 3, 64, 64)), range(4))
    proba = proba.predict_proba(P)[0]
    assert 0 < proba[3] < proba[1] < proba[2]


def test_one_positive_finding_keeps_its_score():
    """As one that is alone: what others score stays as it was."""
    P = random_masks(200, 3)
    summarizer = ThresholdSummarizer(min_area=45, pooling="mean").fit(P, np.arange(200) % 4)
    single = binary_label(P, min_area=45).sum(axis=1) < 2
    scores = probabilistic_label(P, min_area=45)
    expected = np.column_stack([1 - scores.max(axis=1), scores])
    expected /= expected.sum(axis=1, keepdims=True)
    assert 20 < single.sum() < 180
    np.testing.assert_allclose(summarizer.predict_proba(P)[single], expected[single], atol=2e-6)
    largest = np.where(P >= 0.5, P, 0).sum(axis=(2, 3)) * binary_label(P, min_area=45)
    np.testing.assert_array_equal(summarizer.predict(P)[~single], 1 + largest.argmax(1)[~single])


def test_several_labels_at_once_do_not_share():
    P = blobs((36, 0.97), (3600, 0.93))
    summarizer = ThresholdSummarizer().fit(np.zeros((2, 2, 64, 64)), [[0, 1], [1, 0]])
    np.testing.assert_allclose(summarizer.predict_proba(P), [[0.97, 0.93]], atol=1e-6)


PAPER = 100 / 224**2


def test_auto_is_a_low_quantile_of_the_findings_of_each_channel():
    areas = np.column_stack([np.linspace(1e-4, 1.1e-3, 101), np.linspace(0.1, 0.3, 101)])
    areas = np.concatenate([areas, [[0, 0], [np.nan, np.nan]]])
    P = np.zeros((3, 2, 100, 100), dtype=np.float32)
    P[1, 0, 0, :2] = P[1, 1, 0, :2] = 0.9
    P[2, 1, 0, :20] = 0.9
    summarizer = ThresholdSummarizer().fit(P, [0, 1, 2], areas=areas)
    np.testing.assert_allclose(summarizer.min_area_, [1.5e-4, PAPER])
    np.testing.assert_array_equal(summarizer.predict(P), [0, 1, 2])
    fixed = ThresholdSummarizer(min_area=PAPER).fit(P, [0, 1, 2])
    np.testing.assert_array_equal(fixed.predict(P), [0, 0, 2])
    np.testing.assert_array_equal(fixed.min_area_, [PAPER, PAPER])


def test_auto_is_the_papers_area_where_no_mask_is():
    P, y = random_masks(20, 1, size=30), np.arange(20) % 2
    expected = ThresholdSummarizer(min_area=PAPER).fit(P, y).predict_proba(P)
    for areas in (None, [[np.nan], [0]]):
        auto = ThresholdSummarizer().fit(P, y, areas=areas)
        np.testing.assert_array_equal(auto.min_area_, [PAPER])
        np.testing.assert_array_equal(auto.predict_proba(P), expected)


def test_auto_is_a_pixel_at_least():
    P = masks_with(0, 1, size=8)
    summarizer = ThresholdSummarizer().fit(P, [0, 1], areas=[[1e-9]])
    np.testing.assert_array_equal(summarizer.predict(P), [0, 1])


@pytest.mark.parametrize("min_area", [0.01, 100])
def test_an_area_that_misses_findings_warns(min_area):
    P = masks_with(0, 500, size=100)
    areas = np.full((20, 1), 0.02)
    ThresholdSummarizer(min_area=min_area).fit(P, [0, 1], areas=areas)
    areas[0] = 0.005  # 5 % of them
    ThresholdSummarizer(min_area=min_area).fit(P, [0, 1], areas=areas)
    areas[1] = 0.009
    with pytest.warns(UserWarning, match=r"larger than 10% of the 20 findings.*min_area=\"auto\""):
        ThresholdSummarizer(min_area=min_area).fit(P, [0, 1], areas=areas)
    ThresholdSummarizer().fit(P, [0, 1], areas=areas)


@pytest.mark.parametrize(
    ("areas", "message"),
    [([0.1, 0.2], r"shape \(2,\); expected \(m, 1\)"), ([[1.5]], "fractions of the image")],
)
def test_wrong_areas_say_what_is_expected(areas, message):
    with pytest.raises(ValueError, match=message):
        ThresholdSummarizer().fit(masks_with(0, 5, size=8), [0, 1], areas=areas)


def test_unlabeled_images_are_no_class():
    P = masks_with(0, 200, 0, 0)
    np.testing.assert_array_equal(ThresholdSummarizer().fit(P, [0, 1, -1, 0]).classes_, [0, 1])


def test_a_single_class_is_predicted_always():
    P = masks_with(0, 200)
    summarizer = ThresholdSummarizer().fit(P, [1, 1])
    np.testing.assert_array_equal(summarizer.predict(P), [1, 1])
    np.testing.assert_array_equal(summarizer.predict_proba(P), [[1], [1]])


def test_a_few_images_fit_as_well_as_all():
    P, y = random_masks(100, 1), np.arange(100) % 2
    few = ThresholdSummarizer().fit(P[:2], y[:2])
    every = ThresholdSummarizer().fit(P, y)
    np.testing.assert_array_equal(few.predict_proba(P), every.predict_proba(P))
    assert not get_tags(few).requires_fit


@pytest.mark.parametrize(
    ("P", "y", "message"),
    [
        (np.zeros((3, 2, 4, 4)), [0, 1, 0, 1], "inconsistent numbers of samples"),
        (np.zeros((4, 1, 4, 4)), [0, 1, 2, 3], r"1 channel.*1 or 2 classes.*\[0 1 2 3\]"),
        (np.zeros((2, 3, 4, 4)), [[0, 1], [1, 0]], "3 channel.*3 classes"),
        (np.zeros((2, 4, 4)), [0, 1], r"\(n, k, h, w\)"),
        ([np.zeros((1, 4, 4)), np.zeros((2, 4, 4))], [0, 1], "at sample 1"),
        ([np.zeros((1, 4, 4)), np.full((1, 4, 4), 7)], [0, 1], "sample 1 ranges from 7 to 7"),
        (np.array([0, -3.5])[:, None, None, None] * np.ones((2, 1, 4, 4)), [0, 1], "sample 1"),
        (np.full((2, 1, 4, 4), np.nan), [0, 1], "sample 0 ranges from nan"),
        (np.zeros((2, 1, 0, 4)), [0, 1], "Masks should have shape"),
    ],
)
def test_errors_say_what_is_wrong(P, y, message):
    with pytest.raises(ValueError, match=message):
        ThresholdSummarizer().fit(P, y)


@pytest.mark.parametrize("wrong", [{"pooling": "median"}, {"min_area": 100.0}])
def test_functions_check_their_rule(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        probabilistic_label(np.zeros((4, 4)), **wrong)


def test_other_channels_than_in_fit_are_an_error():
    summarizer = ThresholdSummarizer().fit(np.zeros((2, 1, 4, 4)), [0, 1])
    with pytest.raises(ValueError, match=r"1 channel.*got 2"):
        summarizer.predict(np.zeros((2, 2, 4, 4)))


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0}, {"threshold": 1}, {"min_area": 0}, {"min_area": 1.5}, {"pooling": "median"}],
)
def test_parameters_are_checked(wrong):
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        ThresholdSummarizer(**wrong).fit(np.zeros((2, 1, 4, 4)), [0, 1])


def test_is_a_scikit_learn_classifier():
    summarizer = ThresholdSummarizer(threshold=0.4, min_area=3, pooling="rank")
    given = {"threshold": 0.4, "min_area": 3, "pooling": "rank"}
    assert summarizer.get_params() == {**given, "spacing": None}
    assert clone(summarizer).get_params() == summarizer.get_params()
    P, y = masks_with(*range(0, 40, 2), size=8), np.repeat([0, 1], 10)
    search = GridSearchCV(summarizer, {"min_area": [1, 20, 60]}, cv=2).fit(P, y)
    assert search.best_params_ == {"min_area": 20}
    assert search.score(P, y) == 1


@pytest.mark.parametrize(
    "nonsense", [{"threshold": 5}, {"min_area": -1}, {"pooling": "median"}], ids=str
)
def test_parameters_set_after_fit_take_effect_or_are_refused(nonsense):
    P = random_masks(6, 1)
    summarizer = ThresholdSummarizer().fit(P, [0, 1] * 3)
    changed = summarizer.set_params(threshold=0.3, min_area=3, pooling="rank").predict_proba(P)
    expected = ThresholdSummarizer(threshold=0.3, min_area=3, pooling="rank").fit(P, [0, 1] * 3)
    np.testing.assert_array_equal(changed, expected.predict_proba(P))
    with pytest.raises(InvalidParameterError, match=next(iter(nonsense))):
        summarizer.set_params(**nonsense).predict(P)
