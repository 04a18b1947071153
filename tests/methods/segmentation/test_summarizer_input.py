import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from segclf.methods.segmentation.summarizer_input import as_read
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
