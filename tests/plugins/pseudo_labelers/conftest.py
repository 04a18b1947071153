import numpy as np
import pytest
from sklearn.base import BaseEstimator


class Says(BaseEstimator):
    """A teacher that says the probabilities that it was made with."""

    def __init__(self, maps, multilabel=False):
        self.maps = maps
        self.multilabel = multilabel

    def fit(self, X, y):
        self.multilabel_ = self.multilabel
        return self

    def predict_proba(self, X):
        return np.asarray(self.maps)


@pytest.fixture(scope="session")
def predicted():
    """A function: what a labeler draws whose teacher says certain probabilities."""

    def predict(kind, maps, labels=None, *, multilabel=False, **settings):
        X = np.zeros((len(maps), *np.shape(maps)[2:]))
        labeler = kind(teacher=Says(maps, multilabel), **settings).fit(X, None)
        return labeler.predict(X, labels=labels).tolist()

    return predict
