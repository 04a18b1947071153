import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.base.fit_arguments import accepted
from segclf.data import ShuffledSampler

GIVEN = {"labels": [0], "sample_weight": [1.0], "groups": [2], "nothing": None}


class TakesAll(BaseEstimator):
    def fit(self, X, y=None, **more):
        return self


class Ours(SupervisedSegmenter):
    def fit(self, X, y=None, **more):
        return super().fit(X, y, **more)


def names(estimator):
    return sorted(accepted(estimator, GIVEN))


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (LogisticRegression(), ["sample_weight"]),
        (SupervisedSegmenter(), ["groups", "labels", "sample_weight"]),
        (SegmentationClassifier(), ["groups", "sample_weight"]),
        (TakesAll(), []),
        (Ours(), ["groups", "labels", "sample_weight"]),
        (GridSearchCV(LogisticRegression(), {}), ["groups", "sample_weight"]),
        (GridSearchCV(SupervisedSegmenter(), {}), ["groups", "labels", "sample_weight"]),
        (FrozenEstimator(LogisticRegression()), ["sample_weight"]),
        (make_pipeline(FunctionTransformer(), "passthrough"), []),
        (make_pipeline(FunctionTransformer(), TakesAll()), []),
        (make_pipeline(LogisticRegression()), ["logisticregression__sample_weight"]),
        (
            GridSearchCV(make_pipeline(LogisticRegression()), {}),
            ["groups", "logisticregression__sample_weight"],
        ),
    ],
    ids=repr,
)
def test_what_a_fit_takes(estimator, expected):
    assert names(estimator) == expected


def test_a_search_takes_only_what_it_can_cut_into_folds():
    given = {"labels": [0], "sampler": ShuffledSampler(3)}
    segmenter = SupervisedSegmenter()
    assert sorted(accepted(segmenter, given)) == ["labels", "sampler"]
    assert sorted(accepted(GridSearchCV(segmenter, {}), given)) == ["labels"]


def test_with_routing_what_is_requested():
    with sklearn.config_context(enable_metadata_routing=True):
        segmenter = SupervisedSegmenter().set_fit_request(labels=True, groups=False)
        assert names(make_pipeline(FunctionTransformer(), segmenter)) == ["labels"]
        assert names(segmenter) == ["groups", "labels", "sample_weight"]


def test_values_are_handed_on_as_they_are():
    weights = np.ones(3)
    assert accepted(LogisticRegression(), {"sample_weight": weights})["sample_weight"] is weights
