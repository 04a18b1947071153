import cv2
import numpy as np
import pytest
import torch
from segclf_plugins.thresholders import (
    AdaptiveGaussianThresholder,
    AdaptiveMeanThresholder,
    GHTThresholder,
    OtsuThresholder,
)
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from segclf.registry import list_plugins, make_plugin

KINDS = (
    AdaptiveGaussianThresholder,
    AdaptiveMeanThresholder,
    GHTThresholder,
    OtsuThresholder,
)
DTYPES = (bool, np.uint8, np.int8, np.uint16, np.int16, np.int64, np.float32, np.float64)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@parametrize_with_checks([kind() for kind in KINDS])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_are_plugins():
    ours = [plugin.name for plugin in list_plugins("thresholder") if plugin.id[:7] == "segclf:"]
    assert ours == ["adaptive_gaussian", "adaptive_mean", "ght", "otsu"]
    assert [type(make_plugin("thresholder", name)) for name in ours] == list(KINDS)


@pytest.mark.parametrize("polarity", ["bright", "dark", "auto"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_image_has_an_empty_mask(kind, polarity, dtype):
    constants = [np.full((5, 6), value, dtype=dtype) for value in (0, 1, 100)]
    masks = kind(polarity=polarity).transform(np.stack(constants))
    np.testing.assert_array_equal(masks, np.zeros((3, 5, 6)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_values_are_split(kind, dtype):
    image = np.zeros((20, 20), dtype=dtype)
    image[5:9, 5:9] = 100
    np.testing.assert_array_equal(kind()(image), image > 0)
    np.testing.assert_array_equal(kind()(image / 1e5 - 7), image > 0)


@pytest.mark.parametrize("value", [0.3, 0.1234567])
def test_a_constant_color_image_has_an_empty_mask_whatever_its_size(kind, value):
    image = np.full((37, 53, 3), value, dtype=np.float32)
    assert not kind()(image).any()


@pytest.mark.parametrize("kind", [OtsuThresholder, GHTThresholder])
@pytest.mark.parametrize("value", [0, 7, 255, -3.5])
def test_the_threshold_of_a_constant_image_is_its_value(kind, value):
    image = np.full((3, 4), value, dtype=np.uint8 if isinstance(value, int) else np.float64)
    assert kind().thresholds([image]) == value


def test_polarity(kind):
    image = np.full((20, 20), 30, dtype=np.uint8)
    image[6:14, 6:14] = 200
    bright = image == 200
    np.testing.assert_array_equal(kind(polarity="bright")(image), bright)
    np.testing.assert_array_equal(kind(polarity="dark")(image), ~bright)
    np.testing.assert_array_equal(kind(polarity="auto")(image), bright)
    if hasattr(kind, "thresholds"):  # to an adaptive one a flat region is never bright
        np.testing.assert_array_equal(kind(polarity="auto")(255 - image), bright)


def test_auto_polarity_takes_the_bright_side_of_a_tie():
    halves = np.array([[0, 9], [0, 9], [0, 9]], dtype=np.uint8)
    np.testing.assert_array_equal(OtsuThresholder(polarity="auto")(halves), halves == 9)
    corner = np.array([[9, 9, 9], [9, 0, 0], [0, 0, 0]], dtype=np.uint8)  # 4 of 8 on the border
    np.testing.assert_array_equal(OtsuThresholder(polarity="auto")(corner), corner == 9)
    row = np.array([[9, 9, 0]], dtype=np.uint8)
    np.testing.assert_array_equal(OtsuThresholder(polarity="auto")(row), row == 0)


def test_every_form_of_images_gives_the_same_masks(kind, images, tmp_path):
    few = images[:3]
    masks = kind().transform(few)
    assert masks.dtype == bool
    assert masks.shape == few.shape
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for path, image in zip(paths, few, strict=True):
        cv2.imwrite(path, image)
    forms = (few[..., None], list(few), torch.from_numpy(few), paths, few[:, :, ::-1][:, :, ::-1])
    for form in forms:
        np.testing.assert_array_equal(kind().fit(form).transform(form), masks)
    for image, mask in zip(few, masks, strict=True):
        np.testing.assert_array_equal(kind()(image), mask)
        np.testing.assert_array_equal(kind()(np.repeat(image[..., None], 3, axis=2)), mask)


def test_many_small_images_of_two_sizes(kind, images):
    mixed = [image[: 10 + number % 2] for number, image in enumerate(images[:70])]
    masks = kind().transform(mixed)
    assert isinstance(masks, list)
    for image, mask in zip(mixed, masks, strict=True):
        np.testing.assert_array_equal(mask, kind()(image))


def test_rows_give_rows(kind, images):
    rows = images[:4].reshape(4, -1)
    masks = kind().transform(images[:4]).reshape(4, -1)
    thresholder = kind(image_shape=(40, 56)).fit(rows)
    np.testing.assert_array_equal(thresholder.transform(rows), masks)
    assert thresholder.n_features_in_ == 40 * 56
    colors = np.repeat(images[:4, ..., None], 3, axis=3).reshape(4, -1)
    np.testing.assert_array_equal(kind(image_shape=(40, 56, 3)).fit_transform(colors), masks)
    flat = kind().transform(rows)
    np.testing.assert_array_equal(flat, kind().transform(rows[:, None])[:, 0])


def test_errors_name_the_image_and_the_parameter(kind, images):
    floats = images[:3].astype(float)
    floats[1, 2, 3] = np.nan
    for X in (floats, list(floats)):
        with pytest.raises(ValueError, match="Image 1 contains NaN"):
            kind().transform(X)
    with pytest.raises(ValueError, match="Image 0 contains NaN"):
        kind()(floats[1])
    with pytest.raises(ValueError, match=r"shape \(5,\); expected \(h, w\) or"):
        kind()(np.arange(5))
    for method in (kind(polarity="light").fit, kind(polarity="light").transform):
        with pytest.raises(InvalidParameterError, match="'polarity' parameter"):
            method(images)


class Brighter(ClassifierMixin, BaseEstimator):
    """Calls an image positive if its object fills more than a tenth."""

    def __init__(self, thresholder="otsu"):
        self.thresholder = thresholder

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        masks = make_plugin("thresholder", self.thresholder).transform(X)
        return (masks.mean(axis=(1, 2)) > 0.1).astype(int)


def test_grid_search_by_name_and_by_parameter(images):
    y = np.arange(20) % 2
    names = [plugin.name for plugin in list_plugins("thresholder")]
    search = GridSearchCV(Brighter(), {"thresholder": names}, cv=2, error_score="raise")
    assert search.fit(images[:20], y).best_params_["thresholder"] in names
    grid = {"ghtthresholder__nu": [0, 100.0], "ghtthresholder__polarity": ["dark", "auto"]}
    pipeline = make_pipeline(GHTThresholder(image_shape=(40, 56)), LogisticRegression())
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    assert set(search.fit(images[:20].reshape(20, -1), y).best_params_) == set(grid)
