import pickle

import numpy as np
import pytest
from sklearn.utils._indexing import _safe_indexing
from sklearn.utils.validation import _check_method_params

from segclf.cache import digest
from segclf.data import Whole
from segclf.data.whole import unwrapped

X = np.arange(6).reshape(3, 2)


@pytest.mark.parametrize("values", [X, X.tolist(), ["a.png", "b.png", "c.png"]])
def test_what_would_be_cut_is_not(values):
    cut = _check_method_params(X, {"plain": values, "whole": Whole(values)}, indices=[0])
    assert len(cut["plain"]) == 1
    assert unwrapped(cut["whole"]) is values
    assert len(_safe_indexing(values, [0])) == 1


def test_it_travels_and_is_known_again():
    copy = pickle.loads(pickle.dumps(Whole(X)))
    assert np.array_equal(unwrapped(copy), X)
    assert digest(copy) == digest(Whole(X)) != digest(Whole(X + 1))
    assert unwrapped(X) is X
