import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from segclf.metrics import auroc_by_attribute, robust_auroc


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    y_true = random.integers(2, size=200)
    attribute = np.where(random.random(200) < 0.8, y_true, 1 - y_true)
    scores = (0.5 * y_true + attribute + random.normal(size=200)).round(1)
    return y_true, scores, attribute


def test_only_samples_against_the_correlation_are_scored(case):
    y_true, scores, attribute = case
    kept = y_true != attribute
    assert robust_auroc(*case) == pytest.approx(roc_auc_score(y_true[kept], scores[kept]))
    assert robust_auroc(*case) < roc_auc_score(y_true, scores)


def test_what_follows_the_attribute_scores_nothing_and_what_follows_the_label_all(case):
    y_true, _, attribute = case
    assert robust_auroc(y_true, attribute, attribute) == 0
    assert robust_auroc(y_true, y_true, attribute) == 1
    assert robust_auroc(y_true, np.zeros(200), attribute) == 0.5


def test_cells_average_to_auroc(case):
    """Every pair of a positive and a negative is in one cell."""
    y_true, scores, attribute = case
    n = np.array([[np.sum((y_true == y) & (attribute == a)) for a in (0, 1)] for y in (0, 1)])
    pairs = np.outer(n[1], n[0])
    mean = (auroc_by_attribute(*case) * pairs).sum() / pairs.sum()
    assert mean == pytest.approx(roc_auc_score(y_true, scores))


def test_the_opposite_attribute_turns_the_cells(case):
    y_true, scores, attribute = case
    turned = auroc_by_attribute(y_true, scores, 1 - attribute)
    np.testing.assert_array_equal(turned, auroc_by_attribute(*case)[::-1, ::-1])


def test_order_and_what_nobody_said_do_not_matter(case):
    order = np.random.default_rng(1).permutation(200)
    assert robust_auroc(*(values[order] for values in case)) == pytest.approx(robust_auroc(*case))
    unknown = [[1, 0, -1, -1], [9.0, -9, 9, -9], [-1, -1, 0, 1]]
    longer = [np.append(values, more) for values, more in zip(case, unknown, strict=True)]
    assert robust_auroc(*longer) == robust_auroc(*case)


def test_without_such_samples_it_is_nan():
    assert np.isnan(robust_auroc([0, 1, 1], [0.1, 0.2, 0.3], [0, 1, 0]))
    assert np.isnan(robust_auroc([0, 0, 1], [0.1, 0.2, 0.3], [0, 1, 1]))
    assert np.isnan(auroc_by_attribute([], [], [])).all()


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (([0, 2], [0, 1], [0, 1]), r"y_true must be .* with \[0, 2\]"),
        (([0, 1], [0, 1], ["a", "b"]), "attribute must be"),
        (([0, 1], [0], [0, 1]), r"got \(2,\), \(1,\) and \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(case, message):
    with pytest.raises(ValueError, match=message):
        robust_auroc(*case)
