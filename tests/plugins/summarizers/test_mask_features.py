import numpy as np
import pytest
from segclf_plugins.summarizers import MaskFeatures, MaskFeaturesSummarizer
from skimage.measure import label, regionprops
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline


def measured(mask, **settings):
    P = np.asarray(mask, dtype=np.float64)[None, None]
    features = MaskFeatures(**settings).fit(P)
    names = features.get_feature_names_out([""])
    return {name[1:]: value for name, value in zip(names, features.transform(P)[0], strict=True)}


def test_hand_values():
    mask = np.zeros((10, 20))
    mask[0:2, 0:3] = 0.8  # 6 pixels
    mask[2, 3] = 0.5  # joined at a corner
    mask[9, 19] = 1.0
    mask[5, 5] = 0.49
    found = measured(mask)
    assert (found["area"], found["largest_area"], found["n_regions"]) == (8 / 200, 7 / 200, 2)
    assert found["mean"] == pytest.approx((6 * 0.8 + 0.5 + 1 + 0.49) / 200)
    assert found["max"] == 1
    assert found["row"] == pytest.approx((3 * 0.5 + 3 * 1.5 + 2.5 + 9.5) / 8 / 10)
    assert found["column"] == pytest.approx((2 * (0.5 + 1.5 + 2.5) + 3.5 + 19.5) / 8 / 20)
    assert found["extent"] == pytest.approx(7 / (3 * 4))
    assert measured(mask, threshold=0.4)["n_regions"] == 3


def test_empty_full_and_single_pixels():
    shape = ("eccentricity", "extent")
    empty = measured(np.full((4, 6), 0.25))
    assert list(empty.values()) == [0, 0, 0, 0.25, 0.25, 0.5, 0.5, 0, 0]
    full = measured(np.ones((6, 6)))
    assert [full[name] for name in ("area", "row", "column", *shape)] == [1, 0.5, 0.5, 0, 1]
    dot = np.zeros((4, 4))
    dot[0, 3] = 1
    assert [measured(dot)[name] for name in ("row", "column", *shape)] == [0.125, 0.875, 0, 1]
    line = np.zeros((4, 4))
    line[0] = 1
    assert [measured(line)[name] for name in shape] == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_image(seed):
    mask = np.random.default_rng(seed).random((12, 17))
    found = measured(mask)
    regions = regionprops(label(mask >= 0.5, connectivity=2))
    largest = max(regions, key=lambda region: region.area)
    assert found["n_regions"] == len(regions)
    assert found["largest_area"] * mask.size == pytest.approx(largest.area)
    assert found["extent"] == pytest.approx(largest.extent)
    moments = largest.moments_central
    inertia = np.array([[moments[2, 0], moments[1, 1]], [moments[1, 1], moments[0, 2]]])
    small, large = np.linalg.eigvalsh(inertia)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - small / large))
    whole = regionprops((mask >= 0.5).astype(int))[0].centroid
    assert [found["row"] * 12, found["column"] * 17] == pytest.approx([c + 0.5 for c in whole])


def test_channels_in_turn_with_names():
    P = np.random.default_rng(0).random((3, 2, 8, 8))
    features = MaskFeatures().fit(P)
    both = features.transform(P)
    for channel in (0, 1):
        alone = MaskFeatures().fit_transform(P[:, channel : channel + 1])
        np.testing.assert_array_equal(both[:, 9 * channel :][:, :9], alone)
    names = features.get_feature_names_out()
    assert names[[0, 9, 17]].tolist() == ["mask0_area", "mask1_area", "mask1_extent"]
    frame = MaskFeatures().set_output(transform="pandas").fit_transform(P)
    assert frame.columns.tolist() == names.tolist()
    with pytest.raises(ValueError, match="input_features has 1 names; the maps have 2"):
        features.get_feature_names_out(["nodule"])


def test_learns_what_is_planted(planted):
    summarizer = MaskFeaturesSummarizer().fit(*planted())
    P, y = planted(seed=1)
    assert roc_auc_score(y, summarizer.predict_proba(P)[:, 1]) == 1


def test_shape_is_learned():
    """Of one area, squares are distinguished from lines, which no area tells apart."""
    P = np.zeros((20, 1, 16, 16))
    y = np.arange(20) % 2
    for i, p in enumerate(P):
        p[0, i // 2 : i // 2 + (2 if y[i] else 4), 2 : 2 + (8 if y[i] else 2)] = 0.9
    forest = RandomForestClassifier(10, random_state=0)
    search = GridSearchCV(
        MaskFeaturesSummarizer(classifier=forest),
        {"threshold": [0.3, 0.5], "classifier__max_depth": [1, 2]},
        cv=2,
    ).fit(P, y)
    assert search.best_score_ > 0.9
    pipeline = make_pipeline(MaskFeatures(), forest).fit(P, y)
    assert pipeline.score(P, y) == 1


def test_a_threshold_set_after_fit_takes_effect_or_is_refused():
    P = np.random.default_rng(0).random((3, 1, 8, 8))
    features = MaskFeatures().fit(P).set_params(threshold=0.9)
    np.testing.assert_array_equal(
        features.transform(P), MaskFeatures(threshold=0.9).fit_transform(P)
    )
    with pytest.raises(ValueError, match="The 'threshold' parameter"):
        features.set_params(threshold=2).transform(P)


def test_volumes_are_measured_in_three_dimensions():
    P = np.zeros((1, 1, 10, 20, 40))
    P[0, 0, 2:4, 5:7, 10:30] = 0.75
    P[0, 0, 9, 19, 39] = 0.5
    features = MaskFeatures().fit(P)
    found = dict(zip(features.get_feature_names_out(["a"]), features.transform(P)[0], strict=True))
    assert found["a_area"] == pytest.approx(81 / 8000)
    assert found["a_largest_area"] == pytest.approx(80 / 8000)
    assert found["a_n_regions"] == 2
    assert found["a_slice"] == pytest.approx((80 * 3 + 9.5) / 81 / 10)
    assert found["a_row"] == pytest.approx((80 * 6 + 19.5) / 81 / 20)
    assert found["a_column"] == pytest.approx((80 * 20 + 39.5) / 81 / 40)
    assert found["a_extent"] == 1
    spread = [(n**2 - 1) / 12 for n in (2, 20)]  # of a row of n voxels
    assert found["a_eccentricity"] == pytest.approx(np.sqrt(1 - spread[0] / spread[1]))
    nothing = MaskFeatures().fit(P).transform(np.zeros_like(P))[0]
    assert nothing.tolist() == [0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0, 0]
