import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from segclf.metrics import expected_calibration_error, reliability


def random_case(n_classes=2, n=300):
    random = np.random.default_rng(0)
    y_proba = random.dirichlet(np.ones(n_classes), n).round(2)
    return random.integers(n_classes, size=n), y_proba


@pytest.mark.parametrize("n_bins", [1, 4, 10])
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_curve_equals_scikit_learn(n_bins, strategy):
    y_true, y_proba = random_case()
    probability, frequency, n = reliability(y_true, y_proba[:, 1], n_bins=n_bins, strategy=strategy)
    expected = calibration_curve(y_true, y_proba[:, 1], n_bins=n_bins, strategy=strategy)
    np.testing.assert_allclose(frequency[n > 0], expected[0])
    np.testing.assert_allclose(probability[n > 0], expected[1])
    assert n.sum() == len(y_true)


def test_error_of_the_predicted_class_by_the_formula():
    """Equations 2 and 3 of Guo et al."""
    y_true, y_proba = random_case(n_classes=4)
    confidence, right = y_proba.max(axis=1), y_proba.argmax(axis=1) == y_true
    error = 0.0
    for m in range(1, 11):
        chosen = (confidence > (m - 1) / 10) & (confidence <= m / 10)
        if chosen.any():
            error += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    assert expected_calibration_error(y_true, y_proba, n_bins=10) == pytest.approx(error)
    assert error > 0.05


def test_calibrated_probabilities_have_no_error():
    y_true = np.repeat([0, 1, 0, 1], [30, 10, 10, 30])
    assert expected_calibration_error(y_true, np.repeat([0.25, 0.75], 40)) == pytest.approx(0)
    assert expected_calibration_error([0, 1], [1.0, 0.0]) == 1


def test_order_and_what_nobody_said_do_not_matter():
    y_true, y_proba = random_case()
    error = expected_calibration_error(y_true, y_proba)
    order = np.random.default_rng(1).permutation(len(y_true))
    assert expected_calibration_error(y_true[order], y_proba[order]) == pytest.approx(error)
    longer = np.append(y_true, -1), np.vstack([y_proba, [0.0, 1.0]])
    assert expected_calibration_error(*longer) == error


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_empty_bins_and_no_samples_are_nan(strategy):
    result = reliability([1], [1.0], n_bins=3)
    assert result.n.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(result.probability, [np.nan, np.nan, 1])
    assert np.isnan(expected_calibration_error([], [], strategy=strategy))
    assert np.isnan(expected_calibration_error([-1], [0.3], strategy=strategy))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (([0, 1], [0.5]), r"got \(2,\) and \(1,\)"),
        (([0, 2], [0.5, 0.5]), "y_true must hold -1 to 1"),
        (([0, 1], [0.5, 1.5]), r"probabilities in \[0, 1\]"),
        (([0, 1], [0.5, np.nan]), r"probabilities in \[0, 1\]"),
        (([0, 1], [0.5, 0.5], {"strategy": "equal"}), "'uniform' or 'quantile', got 'equal'"),
        (([0, 1], [0.5, 0.5], {"n_bins": 0}), "n_bins must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_named(case, message):
    with pytest.raises(ValueError, match=message):
        reliability(*case[:2], **dict(*case[2:]))
