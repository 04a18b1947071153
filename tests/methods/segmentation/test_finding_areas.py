import numpy as np
import pytest
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import segclf
from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.data import as_masks
from segclf.datasets import make_shapes
from segclf.methods.segmentation.finding_areas import asked_areas


class Listener(ClassifierMixin, BaseEstimator):
    """Notes the areas that it hears of."""

    def fit(self, P, y, areas=None):
        self.classes_, self.areas_, self.n_ = np.unique(y), areas, len(P)
        return self

    def predict_proba(self, P):
        return np.full((len(P), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize("summarizer", [LogisticRegression(), make_pipeline(Listener())])
def test_who_does_not_ask_hears_nothing(summarizer):
    assert asked_areas(summarizer, as_masks(None, 3), slice(1, 2), np.arange(3)) == {}


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
