from functools import partial

import cv2
import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import MaskScorer, SegmentationClassifier, SemiSupervisedSplit, SupervisedSegmenter
from segclf.metrics import dice_score, hausdorff_distance, mean_iou, strict_hits, strict_recall

SIZE = 16
GRID = {"segmenter__learning_rate": [1e-4, 1e-2]}


def make_data(n_samples=12):
    """Images of noise with a red square, in every second one."""
    generator = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    X = generator.integers(0, 100, (n_samples, SIZE, SIZE, 3), dtype=np.uint8)
    for index in np.flatnonzero(y):
        top, left = generator.integers(0, SIZE // 2, 2)
        X[index, top : top + 8, left : left + 8, 0] = 255
    return X, y, (X[..., 0] > 128).astype(np.int64)


X, Y, MASKS = make_data()


def segmenter(**options):
    settings = {"encoder": "tiny", "max_epochs": 8, "batch_size": 2, "learning_rate": 1e-2}
    return SupervisedSegmenter(random_state=0, **settings | options)


def classifier():
    return SegmentationClassifier(segmenter=segmenter(), random_state=0)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def expected(metric, scores, part="predict_masks"):
    """What the metric says of each fold, by hand."""
    return [
        metric(MASKS[test], getattr(estimator, part)(X[test]))
        for estimator, test in zip(scores["estimator"], scores["indices"]["test"], strict=True)
    ]


OPTIONS = {"return_estimator": True, "return_indices": True, "error_score": "raise"}


@pytest.mark.parametrize("metric", [mean_iou, dice_score, partial(mean_iou, per_image=True)])
def test_a_segmenter_is_scored_by_y(metric):
    scores = cross_validate(segmenter(), X, MASKS, cv=2, scoring=MaskScorer(metric), **OPTIONS)
    assert scores["test_score"].tolist() == expected(metric, scores, "predict")
    assert scores["test_score"].min() > 0


def test_of_distances_less_is_better():
    fitted = segmenter().fit(X, MASKS)
    metric = partial(hausdorff_distance, missing=2 * SIZE)
    distance = metric(MASKS, fitted.predict(X))
    assert 0 < distance < np.inf
    assert MaskScorer(metric, greater_is_better=False)(fitted, X, MASKS) == -distance


def test_a_classifier_is_scored_by_routed_masks(routing):
    scoring = {"iou": MaskScorer(), "dice": MaskScorer(dice_score), "accuracy": "accuracy"}
    scores = cross_validate(
        classifier().set_fit_request(masks=True),
        X,
        Y,
        cv=3,
        params={"masks": MASKS},
        scoring=scoring,
        **OPTIONS,
    )
    assert scores["test_iou"].tolist() == expected(mean_iou, scores)
    assert scores["test_dice"].tolist() == expected(dice_score, scores)
    assert scores["test_iou"].min() > 0
    assert np.isfinite(scores["test_accuracy"]).all()


@pytest.mark.parametrize("names", [[0, 1], ["fine", "ill"], [2, 4]])
def test_strict_recall_of_a_classifier(routing, names):
    names = np.array(names)
    scorers = {
        str(place): MaskScorer(partial(strict_recall, place=place), with_labels=True)
        for place in ("anywhere", "overlap", 0.5)
    }
    scores = cross_validate(
        classifier().set_fit_request(masks=True),
        X,
        names[Y],
        cv=2,
        params={"masks": MASKS},
        scoring={"recall": make_scorer(recall_score, pos_label=names[1])} | scorers,
        **OPTIONS,
    )
    np.testing.assert_array_equal(scores["test_anywhere"], scores["test_recall"])
    by_hand = [
        np.nanmean(
            strict_hits(
                Y[test],
                estimator.predict(X[test]) == names[1],
                MASKS[test],
                estimator.predict_masks(X[test]),
                place=0.5,
            )
        )
        for estimator, test in zip(scores["estimator"], scores["indices"]["test"], strict=True)
    ]
    assert scores["test_0.5"].tolist() == by_hand
    assert scores["test_overlap"].mean() > 0


def test_labels_where_every_class_has_a_region():
    regions = 1 + (MASKS > 0)
    trained = classifier().set_params(negative_class=None).fit(X, Y, masks=regions)
    seen = []

    def metric(labels_true, labels_pred, *masks):
        seen.extend([labels_true, labels_pred])
        return 0.0

    MaskScorer(metric, with_labels=True)(trained, X, np.where(Y, Y, -1), masks=regions)
    np.testing.assert_array_equal(seen[0], np.where(Y, 2, -1))
    np.testing.assert_array_equal(seen[1], trained.predict(X) + 1)


def test_labels_of_many_kinds_stay_an_indicator():
    labels, masks = np.column_stack([Y, 1 - Y]), np.stack([MASKS, 1 - MASKS], axis=1)
    masks[Y == 1, 1] = 0
    trained = classifier().fit(X, labels, masks=masks)
    hits = strict_hits(labels, trained.predict(X), masks, trained.predict_masks(X))
    scorer = MaskScorer(strict_recall, with_labels=True)
    assert scorer(trained, X, labels, masks=masks) == np.nanmean(hits)


def test_labels_are_missing():
    scorer = MaskScorer(strict_recall, with_labels=True)
    with pytest.raises(ValueError, match="needs a classifier and its y, got a segmenter"):
        scorer(segmenter(max_epochs=1).fit(X, MASKS), X, MASKS)
    trained = SegmentationClassifier(segmenter=segmenter(max_epochs=1)).fit(X, Y, masks=MASKS)
    with pytest.raises(ValueError, match="got a classifier without y"):
        scorer(trained, X, masks=MASKS)


def test_a_search_chooses_by_routed_masks(routing):
    estimator = classifier().set_fit_request(masks=True)
    cv = KFold(2)
    search = GridSearchCV(estimator, GRID, cv=cv, scoring=MaskScorer(), error_score="raise")
    search.fit(X, Y, masks=MASKS)
    by_hand = [
        np.mean(
            [
                mean_iou(
                    MASKS[test],
                    classifier()
                    .set_params(segmenter__learning_rate=rate)
                    .fit(X[train], Y[train], masks=MASKS[train])
                    .predict_masks(X[test]),
                )
                for train, test in cv.split(X)
            ]
        )
        for rate in GRID["segmenter__learning_rate"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_index_ == np.argmax(by_hand)


def test_through_a_pipeline_and_a_search(routing):
    flip = FunctionTransformer(lambda images: images[:, ::-1])
    pipeline = make_pipeline(flip, classifier().set_fit_request(masks=True))
    grid = {"segmentationclassifier__negative_class": ["first"]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=MaskScorer(), error_score="raise")
    scores = cross_validate(
        search,
        X,
        Y,
        cv=2,
        params={"masks": MASKS[:, ::-1]},
        scoring=MaskScorer(),
        **OPTIONS,
    )
    for score, each, test in zip(
        scores["test_score"], scores["estimator"], scores["indices"]["test"], strict=True
    ):
        predicted = each.best_estimator_[-1].predict_masks(X[test][:, ::-1])
        assert score == mean_iou(MASKS[test][:, ::-1], predicted)


def test_another_name_and_no_masks(routing):
    estimator = classifier().set_fit_request(masks="drawn")
    scorer = MaskScorer().set_score_request(masks="drawn")
    params = {"drawn": MASKS}
    scores = cross_validate(estimator, X, Y, cv=2, params=params, scoring=scorer, **OPTIONS)
    assert scores["test_score"].tolist() == expected(mean_iou, scores)
    scorer = MaskScorer().set_score_request(masks=False)
    with pytest.raises(ValueError, match="expected them as masks="):
        cross_validate(estimator, X, Y, cv=2, params=params, scoring=scorer, **OPTIONS)


def test_without_routing_masks_do_not_reach_a_scorer():
    with pytest.raises(ValueError, match=r"SegmentationClassifier.* needs metadata routing"):
        cross_validate(
            classifier(), X, Y, cv=2, params={"masks": MASKS}, scoring=MaskScorer(), **OPTIONS
        )


def test_what_nobody_said_is_not_scored():
    trained = segmenter().fit(X, MASKS)
    predicted = trained.predict(X)
    truth = [None if i < 2 else mask for i, mask in enumerate(predicted.astype(int))]
    truth[2] = np.where(np.arange(SIZE) < 8, truth[2], -1)
    truth[3] = np.where(np.arange(SIZE) < 8, truth[3], -1)
    assert MaskScorer()(trained, X, truth) == 1
    assert np.isnan(MaskScorer()(trained, X, [None] * len(X)))


def test_masks_in_files(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(len(X))]
    for path, mask in zip(paths, MASKS, strict=True):
        cv2.imwrite(str(path), mask)
    trained = segmenter().fit(X, MASKS)
    assert MaskScorer()(trained, X, paths) == trained.score(X, paths) == trained.score(X, MASKS)


def test_unlabeled_images_are_trained_on_and_not_scored():
    masks = [None if i % 3 == 0 else mask for i, mask in enumerate(MASKS)]
    cv = SemiSupervisedSplit(KFold(2))
    scores = cross_validate(segmenter(), X, masks, cv=cv, scoring=MaskScorer(), **OPTIONS)
    assert scores["test_score"].tolist() == expected(mean_iou, scores, "predict")
    for indices in scores["indices"]["test"]:
        assert (indices % 3 != 0).all()


def test_a_classifier_without_masks_is_refused():
    trained = DummyClassifier().fit(X.reshape(len(X), -1), Y)
    with pytest.raises(ValueError, match="No true masks were passed to score a DummyClassifier"):
        MaskScorer()(trained, X)
