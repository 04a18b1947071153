import numpy as np
import pytest
from segclf_plugins.summarizers import FullyConnectedSummarizer, PooledSummarizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError


@pytest.mark.parametrize("summarizer", [FullyConnectedSummarizer(), PooledSummarizer()])
def test_learns_what_is_planted(summarizer, planted):
    P, y = planted(seed=1)
    assert roc_auc_score(y, summarizer.fit(*planted()).predict_proba(P)[:, 1]) == 1


def test_fully_connected_is_logistic_regression_on_pixels(planted):
    P, y = planted(n_channels=2)
    expected = (
        LogisticRegression(max_iter=1000).fit(P.reshape(24, -1), y).predict_proba(P.reshape(24, -1))
    )
    summarizer = FullyConnectedSummarizer().fit(P, y)
    np.testing.assert_allclose(summarizer.predict_proba(P), expected, atol=1e-2)
    weights = summarizer.classifier_.coef_
    assert weights.shape == (1, 2 * 24 * 24)
    by_pixel = weights.reshape(24, 24, 2)
    assert by_pixel[:8, :8, 0].mean() > 10 * np.abs(by_pixel[12:, 12:]).mean()


def test_pooled_reads_nothing_but_means(planted):
    P, y = planted(n_channels=3)
    flat = np.broadcast_to(P.mean((2, 3), keepdims=True), P.shape)
    summarizer = PooledSummarizer().fit(P, y)
    assert summarizer.classifier_[-1].coef_.shape == (1, 3)
    np.testing.assert_allclose(
        summarizer.predict_proba(flat), summarizer.predict_proba(P), atol=1e-4
    )


def test_sizes_are_brought_to_that_of_fit(planted):
    P, y = planted()
    summarizer = FullyConnectedSummarizer().fit(P, y)
    assert summarizer.size_ == (24, 24)
    large = P.repeat(2, axis=2).repeat(3, axis=3)
    np.testing.assert_allclose(
        summarizer.predict_proba(large), summarizer.predict_proba(P), atol=1e-6
    )
    several = [p[:, : 20 + i % 3] for i, p in enumerate(P)]
    assert FullyConnectedSummarizer().fit(several, y).size_ == (21, 24)


def test_any_classifier(planted):
    P, y = planted()
    tree = DecisionTreeClassifier(random_state=0)
    summarizer = PooledSummarizer(classifier=tree).fit(P, np.array(["no", "yes"])[y])
    assert summarizer.classifier_.get_depth() == 1
    assert not hasattr(tree, "tree_")
    assert summarizer.classes_.tolist() == ["no", "yes"]
    assert summarizer.score(P, np.array(["no", "yes"])[y]) == 1


def test_several_labels_and_labels_that_nobody_gave(planted):
    P, y = planted(n_channels=2)
    both = np.stack([y, np.arange(24) < 12], axis=1).astype(int)
    P[:12, 1] += 0.5
    fitted = PooledSummarizer().fit(P, both)
    np.testing.assert_array_equal(fitted.predict(P), both)
    np.testing.assert_array_equal(fitted.classes_, [0, 1])
    labeled = np.arange(24) < 20
    for target in (y, both):
        partly = np.where(labeled if target.ndim == 1 else labeled[:, None], target, -1)
        np.testing.assert_array_equal(
            PooledSummarizer().fit(P, partly).predict_proba(P),
            PooledSummarizer().fit(P[labeled], target[labeled]).predict_proba(P),
        )


def test_errors(planted):
    P, y = planted()
    with pytest.raises(InvalidParameterError, match="classifier"):
        PooledSummarizer(classifier="tree").fit(P, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PooledSummarizer().fit(P, y[1:])
    with pytest.raises(ValueError, match="only one class is present"):
        PooledSummarizer().fit(P, y * 0)
    with pytest.raises(ValueError, match=r"shape \(2, 24, 24\) at sample 0; expected .* k = 1"):
        PooledSummarizer().fit(P, y).predict(np.repeat(P, 2, axis=1))
