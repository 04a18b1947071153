import numpy as np
import pytest
from reports.page.answering import Answering, AnsweringLabels, numbered_images, two_class
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, roc_auc_score

from segclf.data import as_images
from segclf.metrics import dice_score, mean_iou, strict_recall
from segclf.reports.page.answers import ask
from segclf.reports.page.budget import Budget
from segclf.reports.page.numbers import count_up


def scores_of(estimator, X, y, masks=None, groups=None):
    answers = ask(estimator, as_images(X), X, y, masks, budget=Budget(), spacing=None)
    numbers = count_up(answers, groups=groups, n_resamples=20, random_state=0)
    return {score.name: score.estimate for score in numbers.scores}, numbers


def test_two_classes_as_scikit_learn_and_our_metrics_count_them():
    X, y, masks, estimator = two_class(60)
    scores, numbers = scores_of(estimator, X, y, masks)
    said, probabilities = estimator.predict(X), estimator.predict_proba(X)
    predicted = np.stack(estimator.predict_masks(X))
    expected = {
        "AUROC": roc_auc_score(y, probabilities[:, 1]),
        "accuracy": accuracy_score(y, said),
        "balanced accuracy": balanced_accuracy_score(y, said),
        "sensitivity": recall_score(y, said),
        "specificity": recall_score(y, said, pos_label=0),
        "strict recall": strict_recall(y, said, masks, predicted),
        "IoU": mean_iou(masks, predicted),
        "Dice": dice_score(masks, predicted),
    }
    assert scores == pytest.approx(expected)
    assert all(score.low <= score.estimate <= score.high for score in numbers.scores)
    assert sum(size.n for size in numbers.sizes) == sum(r.n for r in numbers.regions) == y.sum()


def test_three_classes_and_images_that_nobody_labeled():
    random = np.random.default_rng(0)
    y = np.arange(60) % 3
    probabilities = random.dirichlet(np.ones(3), 60) + 0.4 * np.eye(3)[y]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    masks = np.zeros((60, 12, 16), dtype=int)
    masks[np.arange(60), 4, 4] = y
    predicted = np.roll(masks, 1, axis=0)
    estimator = Answering(probabilities, predicted, classes=[0, 1, 2])
    X, labeled = numbered_images(60), np.arange(60) % 7 > 0
    scores, _ = scores_of(estimator, X, np.where(labeled, y, -1), masks)
    said = probabilities.argmax(axis=1)
    assert scores["AUROC"] == pytest.approx(
        roc_auc_score(y[labeled], probabilities[labeled], multi_class="ovr")
    )
    assert scores["balanced accuracy"] == balanced_accuracy_score(y[labeled], said[labeled])
    assert scores["sensitivity"] == recall_score(y[labeled] > 0, said[labeled] > 0)
    assert scores["IoU"] == mean_iou(masks, predicted)
    expected = strict_recall(np.where(labeled, y, -1), said, masks, predicted)
    assert scores["strict recall"] == pytest.approx(expected)


def test_labels_that_do_not_exclude_each_other():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, (50, 2))
    probabilities = np.clip(random.random((50, 2)) + 0.3 * y, 0, 1)
    estimator = AnsweringLabels(probabilities)
    scores, _ = scores_of(estimator, numbered_images(50), y)
    said = probabilities >= 0.5
    balanced = [balanced_accuracy_score(y[:, k], said[:, k]) for k in range(2)]
    assert scores["AUROC"] == pytest.approx(roc_auc_score(y, probabilities))
    assert scores["accuracy"] == accuracy_score(y, said)
    assert scores["balanced accuracy"] == pytest.approx(np.mean(balanced))


def test_ties_count_half():
    estimator = Answering(np.tile([0.5, 0.5], (4, 1)))
    assert scores_of(estimator, numbered_images(4), [0, 1, 0, 1])[0]["AUROC"] == 0.5


def test_context_is_no_finding():
    masks = np.zeros((2, 12, 16), dtype=int)
    masks[1, 0, :4], masks[:, 5] = 1, 2
    predicted = np.where(masks == 1, 1, 0)
    estimator = Answering([[0.9, 0.1], [0.1, 0.9]], predicted)
    scores, numbers = scores_of(estimator, numbered_images(2), [0, 1], masks)
    assert scores["IoU"] == scores["Dice"] == scores["strict recall"] == 1
    assert [region.name for region in numbers.regions if region.n] == ["upper left"]


def test_groups_are_resampled_whole():
    X, y, masks, estimator = two_class(40)
    wide = scores_of(estimator, X, y, masks, groups=np.arange(40) // 10)[1].scores
    narrow = scores_of(estimator, X, y, masks)[1].scores
    assert [s.estimate for s in wide] == [s.estimate for s in narrow]
    assert [s.low for s in wide] != [s.low for s in narrow]


def test_what_cannot_be_scored_is_left_out_or_not_a_number():
    X = numbered_images(3)
    estimator = Answering([[0.9, 0.1]] * 3)
    assert scores_of(estimator, X, [-1, -1, -1])[0] == {}
    scores, _ = scores_of(estimator, X, [0, 0, 0])
    assert np.isnan(scores["AUROC"])
    assert scores["accuracy"] == 1
    assert "sensitivity" not in scores
