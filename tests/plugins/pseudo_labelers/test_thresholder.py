import numpy as np
import pytest
from segclf_plugins.pseudo_labelers import ThresholderLabeler
from segclf_plugins.thresholders import OtsuThresholder
from sklearn.utils._param_validation import InvalidParameterError

GRAYS = np.array([[[10, 12, 90]], [[10, 80, 90]]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("y", "labels", "expected"),
    [
        (None, None, [[[0, 0, 1]], [[0, 1, 1]]]),
        (None, [0, 1], [[[0, 0, 0]], [[0, 1, 1]]]),
        (None, [2, -1], [[[0, 0, 2]], [[0, -1, -1]]]),
        ([[[0, 0, 2]], None], [-1, 1], [[[0, 0, -1]], [[0, 1, 1]]]),
        (None, [[1], [0]], [[[[0, 0, 1]]], [[[0, 0, 0]]]]),
        (None, [[1, 0], [1, -1]], [[[[0, 0, 1]], [[0] * 3]], [[[0, -1, -1]], [[0, -1, -1]]]]),
        (None, [[0, 0], [0, -1]], [[[[0] * 3], [[0] * 3]], [[[0] * 3], [[0, 1, 1]]]]),
    ],
)
def test_a_threshold_predicts_what_the_label_says(y, labels, expected):
    y = None if y is None else [None if m is None else np.array(m) for m in y]
    labeler = ThresholderLabeler(thresholder="otsu").fit(GRAYS, y, labels=labels)
    assert labeler.predict(GRAYS, labels=labels).tolist() == expected


def test_any_thresholder_will_do():
    dark = ThresholderLabeler(thresholder=OtsuThresholder(polarity="dark")).fit(GRAYS)
    assert dark.predict(GRAYS).tolist() == [[[1, 1, 0]], [[1, 0, 0]]]
    own = ThresholderLabeler(thresholder=lambda gray: gray > 11).fit(GRAYS)
    assert own.predict(GRAYS).tolist() == [[[0, 1, 1]], [[0, 1, 1]]]


def test_a_thresholder_set_after_fit_takes_effect_or_is_refused():
    labeler = ThresholderLabeler().fit(GRAYS)
    labeler.set_params(thresholder=OtsuThresholder(polarity="dark"))
    assert labeler.predict(GRAYS).tolist() == [[[1, 1, 0]], [[1, 0, 0]]]
    with pytest.raises(InvalidParameterError, match="thresholder"):
        labeler.set_params(thresholder=3).predict(GRAYS)
