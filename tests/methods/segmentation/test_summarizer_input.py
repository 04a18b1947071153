import numpy as np
import pytest
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import segclf
from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.base import supervise
from segclf.datasets import make_shapes
from segclf.methods.segmentation.reading import Reading
from segclf.methods.segmentation.summarizer_input import as_read, fit_summarizer
from segclf.registry import load_plugin, make_plugin

MAPS = np.random.default_rng(0).random((6, 2, 4, 5))
Y = np.arange(6) % 2
MEANS = FunctionTransformer(lambda maps: np.mean(maps, axis=(2, 3)))
FEATURES = make_plugin("summarizer", "mask_features")


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        RandomForestClassifier(n_estimators=2),
        make_pipeline(StandardScaler(), KNeighborsClassifier(2)),
        make_pipeline("passthrough", LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_any_classifier_reads_rows(classifier):
    rows = as_read(classifier, MAPS)
    np.testing.assert_array_equal(rows, MAPS.reshape(6, 40))
    assert classifier.fit(rows, Y).predict_proba(as_read(classifier, MAPS)).shape == (6, 2)


@pytest.mark.parametrize(
    "classifier",
    [
        FEATURES,
        make_pipeline(MEANS, LogisticRegression()),
        make_pipeline(FeatureUnion([("means", MEANS)]), LogisticRegression()),
        GridSearchCV(FEATURES, {"threshold": [0.5]}, cv=2),
        CalibratedClassifierCV(FEATURES, cv=2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_reads_maps_gets_maps(classifier):
    assert as_read(classifier, MAPS) is MAPS
    assert classifier.fit(MAPS, Y).predict_proba(MAPS).shape == (6, 2)


def test_maps_of_several_sizes():
    maps = [MAPS[0], MAPS[1, :, :3]]
    with pytest.raises(ValueError, match=r"LogisticRegression reads rows of one length.*2 sizes"):
        as_read(LogisticRegression(), maps)
    assert as_read(load_plugin("summarizer", "fully_connected")(), maps) is maps
    assert as_read(LogisticRegression(), list(MAPS)).shape == (6, 40)


class Listener(ClassifierMixin, BaseEstimator):
    """Notes the areas that it hears of."""

    def fit(self, P, y, areas=None):
        self.classes_, self.areas_, self.n_ = np.unique(y), areas, len(P)
        return self

    def predict_proba(self, P):
        return np.full((len(P), len(self.classes_)), 1 / len(self.classes_))


def test_who_does_not_ask_hears_nothing():
    images = np.zeros((6, 4, 5, 3), np.uint8)
    weighted = supervise(images, masks=np.ones((6, 4, 5), int), sample_weight=np.arange(1, 7))
    given = (Reading(MAPS), Y, np.arange(6), weighted, slice(1, 3))
    fit_summarizer(LogisticRegression(), *given)
    inside = make_pipeline(MEANS, Listener())
    fit_summarizer(inside, *given)
    assert inside[-1].areas_ is None


def test_who_asks_hears_of_weights():
    weight = np.array([1, 1, 1, 5, 1, 1])
    masks = np.ones((6, 4, 5), int)
    images = np.zeros((6, 4, 5, 3), np.uint8)
    fitted, alone = LogisticRegression(), LogisticRegression()
    weighted = supervise(images, masks=masks, sample_weight=weight)
    fit_summarizer(fitted, Reading(MAPS), Y, np.arange(6), weighted, slice(1, 3))
    alone.fit(MAPS.reshape(6, -1), Y, weighted.sample_weight)
    assert weighted.sample_weight[3] == 5 * weighted.sample_weight[0]
    np.testing.assert_array_equal(fitted.coef_, alone.coef_)


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(12, image_size=32, n_objects=3, random_state=0)


def classifier(summarizer, **changes):
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    return SegmentationClassifier(
        segmenter=segmenter, summarizer=summarizer, random_state=0, **changes
    )


def test_who_learns_hears_of_the_images_whose_maps_it_sees(shapes):
    y = shapes.target.copy()
    y[0] = -1
    masks = list(shapes.masks)
    masks[3] = None
    heard = classifier(Listener()).fit(shapes.images, y, masks=masks).summarizer_
    shares = shapes.masks.mean(axis=(1, 2))
    shares[3] = np.nan
    assert heard.n_ == 11
    np.testing.assert_allclose(heard.areas_, shares[1:, None])


def test_the_rule_takes_its_area_from_all_masks(shapes, tmp_path):
    fitted = classifier("threshold").fit(shapes.images, shapes.target, masks=shapes.masks)
    shares = shapes.masks.mean(axis=(1, 2))
    expected = min(100 / 224**2, np.quantile(shares[shares > 0], 0.05))
    np.testing.assert_allclose(fitted.summarizer_.min_area_, [expected])
    segclf.save(fitted, tmp_path / "fitted.segclf")
    again = segclf.load(tmp_path / "fitted.segclf")
    np.testing.assert_array_equal(again.summarizer_.min_area_, fitted.summarizer_.min_area_)
    np.testing.assert_array_equal(
        again.predict_proba(shapes.images), fitted.predict_proba(shapes.images)
    )


def test_an_area_larger_than_the_findings_warns(shapes):
    with pytest.warns(UserWarning, match="larger than 100% of the 6 findings in the training mask"):
        classifier(ThresholdSummarizer(min_area=0.9)).fit(
            shapes.images, shapes.target, masks=shapes.masks
        )
