import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import SegmentationClassifier, SemiSupervisedSplit, SupervisedSegmenter
from segclf.datasets import make_shapes


def classifier(max_epochs=2, **changes):
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=max_epochs, learning_rate=1e-2)
    return SegmentationClassifier(**{"segmenter": segmenter, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(60, image_size=32, n_objects=4, target_radius=5, random_state=0)


@pytest.fixture(scope="module")
def test_shapes():
    return make_shapes(60, image_size=32, n_objects=4, target_radius=5, random_state=1)


def test_it_classifies_through_masks(shapes, test_shapes):
    fitted = classifier(30).fit(shapes.images, shapes.target, masks=shapes.masks)
    scores = fitted.predict_proba(test_shapes.images)[:, 1]
    assert roc_auc_score(test_shapes.target, scores) > 0.95
    assert fitted.score(test_shapes.images, test_shapes.target) > 0.85


def test_positive_masks_and_negative_labels_are_enough(shapes, test_shapes):
    masks = [
        mask if label else None for mask, label in zip(shapes.masks, shapes.target, strict=True)
    ]
    fitted = classifier(30).fit(shapes.images, shapes.target, masks=masks)
    scores = fitted.predict_proba(test_shapes.images)[:, 1]
    assert roc_auc_score(test_shapes.target, scores) > 0.95


def test_any_mixture_of_supervision_is_valid(shapes):
    masks = [None if i % 3 else mask for i, mask in enumerate(shapes.masks)]
    labels = np.where(np.arange(60) % 5, shapes.target, -1)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.classes_.tolist() == [0, 1]


def test_labels_alone_learn(shapes):
    fitted = classifier(20).fit(shapes.images, shapes.target)
    assert roc_auc_score(shapes.target, fitted.predict_proba(shapes.images)[:, 1]) > 0.8


def test_predict_is_the_most_probable_class(shapes):
    fitted = classifier(5).fit(shapes.images, shapes.target, masks=shapes.masks)
    proba = fitted.predict_proba(shapes.images)
    np.testing.assert_allclose(proba.sum(1), 1)
    np.testing.assert_array_equal(fitted.predict(shapes.images), proba.argmax(1))


def test_string_classes(shapes):
    labels = np.array(["absent", "present"])[shapes.target]
    fitted = classifier().fit(shapes.images, labels, masks=shapes.masks)
    assert fitted.classes_.tolist() == ["absent", "present"]
    assert set(fitted.predict(shapes.images)) <= {"absent", "present"}


def test_context_ids_decide_no_label(shapes):
    masks = shapes.masks.astype(int)
    masks[:, :4] = 2
    fitted = classifier().fit(shapes.images, shapes.target, masks=masks)
    assert fitted.segmenter_.n_classes_ == 3
    assert fitted.predict_proba(shapes.images).shape == (60, 2)


def test_every_class_may_have_its_region(shapes):
    masks = np.where(shapes.masks == 1, 2, 1)
    fitted = classifier(negative_class=None).fit(shapes.images, shapes.target, masks=masks)
    assert fitted.segmenter_.n_classes_ == 3
    assert fitted.predict_proba(shapes.images).shape == (60, 2)


def test_multi_class(shapes):
    half = np.arange(60) % 2
    labels = shapes.target * (1 + half)
    masks = shapes.masks * (1 + half)[:, None, None].astype(np.uint8)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.predict_proba(shapes.images).shape == (60, 3)


def test_multilabel(shapes):
    labels = np.stack([shapes.target, 1 - shapes.target], axis=1)
    healthy = np.ones_like(shapes.masks) * (shapes.target == 0)[:, None, None]
    masks = np.stack([shapes.masks, healthy], axis=1)
    fitted = classifier().fit(shapes.images, labels, masks=masks)
    assert fitted.predict(shapes.images).shape == (60, 2)
    assert set(np.unique(fitted.predict(shapes.images))) <= {0, 1}


def test_masks_and_their_probabilities(shapes):
    fitted = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    assert fitted.predict_masks(shapes.images[:2]).shape == (2, 32, 32)
    assert fitted.predict_mask_proba(shapes.images[:2]).shape == (2, 2, 32, 32)


def test_images_of_several_sizes(shapes):
    mixed = [image[: 28 + i % 5] for i, image in enumerate(shapes.images)]
    masks = [mask[: 28 + i % 5] for i, mask in enumerate(shapes.masks)]
    fitted = classifier().fit(mixed, shapes.target, masks=masks)
    assert fitted.predict_proba(mixed).shape == (60, 2)


def test_class_weight_is_a_weight_of_images(shapes):
    weighted = classifier(class_weight={0: 1, 1: 3}).fit(
        shapes.images, shapes.target, masks=shapes.masks
    )
    by_hand = classifier().fit(
        shapes.images, shapes.target, masks=shapes.masks, sample_weight=1 + 2 * shapes.target
    )
    np.testing.assert_array_equal(
        weighted.predict_proba(shapes.images), by_hand.predict_proba(shapes.images)
    )


def test_unlabeled_images_are_never_scored(shapes):
    fitted = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    labels = np.where(np.arange(60) < 30, shapes.target, -1)
    assert fitted.score(shapes.images, labels) == fitted.score(
        shapes.images[:30], shapes.target[:30]
    )


def test_parameters_reach_down_to_the_segmenter():
    changed = clone(classifier()).set_params(segmenter__learning_rate=0.5)
    assert changed.segmenter.learning_rate == 0.5


def test_the_summarizer_may_be_an_object_or_unknown(shapes):
    from segclf import load_plugin

    rule = load_plugin("summarizer", "threshold")(min_area=3)
    fitted = classifier(summarizer=rule).fit(shapes.images, shapes.target, masks=shapes.masks)
    assert fitted.summarizer_.min_area == 3
    with pytest.raises(ValueError, match=r"No summarizer named 'treshold'; installed: .*threshold"):
        classifier(summarizer="treshold").fit(shapes.images, shapes.target, masks=shapes.masks)


class Witness(ClassifierMixin, BaseEstimator):
    """Remembers the maps that it learned from."""

    def __init__(self, layer=None):
        self.layer = layer

    def fit(self, P, y):
        self.P_, self.classes_ = P, np.unique(y)
        return self

    def predict_proba(self, P):
        scores = np.array([p.mean() for p in P])
        return np.stack([1 - scores, scores], axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def test_a_classifier_of_rows_is_a_summarizer(shapes):
    fitted = classifier(summarizer=LogisticRegression())
    fitted.fit(shapes.images, shapes.target, masks=shapes.masks)
    assert fitted.summarizer_.n_features_in_ == 32 * 32
    assert fitted.predict(shapes.images).shape == shapes.target.shape


def test_folds_give_the_summarizer_masks_of_images_not_trained_on(shapes):
    X, masks, labels = shapes.images[:20], shapes.masks[:20], shapes.target[:20].copy()
    labels[[3, 7]] = -1
    fitted = classifier(summarizer=Witness(), cv=2).fit(X, labels, masks=masks)
    expected = np.empty((20, 1, 32, 32), dtype=np.float32)
    for training, test in SemiSupervisedSplit(2).split(labels, labels):
        segmenter = clone(fitted.segmenter_)
        segmenter.fit(X[training], masks[training], labels=labels[training])
        expected[test] = segmenter.predict_proba(X[test])[:, 1:]
    np.testing.assert_array_equal(fitted.summarizer_.P_, expected[labels >= 0])
    whole = classifier(summarizer=Witness()).fit(X, labels, masks=masks)
    np.testing.assert_array_equal(fitted.predict_masks(X), whole.predict_masks(X))
    assert not np.array_equal(whole.summarizer_.P_, expected[labels >= 0])


def test_groups_are_not_torn_apart(shapes):
    groups = np.arange(20) // 4
    settings = {"cv": GroupKFold(3), "summarizer": Witness()}
    metadata = {"masks": shapes.masks[:20], "groups": groups}
    fitted = classifier(**settings).fit(shapes.images[:20], shapes.target[:20], **metadata)
    by_hand = np.concatenate([test for _, test in GroupKFold(3).split(groups, groups=groups)])
    assert len(fitted.summarizer_.P_) == len(by_hand) == 20
    with pytest.raises(ValueError, match="groups"):
        classifier(**settings).fit(shapes.images[:20], shapes.target[:20], masks=shapes.masks[:20])


@pytest.mark.parametrize("kind", ["classes", "indicator"])
def test_a_number_of_folds_keeps_groups_together(kind, shapes, monkeypatch):
    """Of 10 patients with two images each, none is in both parts of a fold."""
    seen = []
    learn = SupervisedSegmenter._learn

    def noted(self, samples, *, groups, **how):
        seen.append(set(groups))
        learn(self, samples, groups=groups, **how)

    monkeypatch.setattr(SupervisedSegmenter, "_learn", noted)
    X, y, patients = shapes.images[:20], shapes.target[:20], np.arange(20) % 10
    if kind == "indicator":
        y = np.stack([y, 1 - y], axis=1)
    classifier(1, cv=5, summarizer=Witness()).fit(X, y, groups=patients)
    everybody, *folds = seen
    assert everybody == set(range(10))
    assert [len(training) for training in folds] == [8] * 5
    assert set().union(*(everybody - training for training in folds)) == everybody


def test_what_learns_nothing_has_no_folds(shapes, monkeypatch):
    fits = []
    learn = SupervisedSegmenter._learn

    def counted(self, samples, **how):
        fits.append(len(samples))
        learn(self, samples, **how)

    monkeypatch.setattr(SupervisedSegmenter, "_learn", counted)
    classifier(cv=3, summarizer="threshold").fit(shapes.images, shapes.target, masks=shapes.masks)
    assert len(fits) == 1
    classifier(cv=3, summarizer=Witness()).fit(shapes.images, shapes.target, masks=shapes.masks)
    assert len(fits) == 1 + 4


def test_folds_are_found_again_in_memory(shapes, tmp_path, monkeypatch):
    settings = {"cv": 2, "memory": tmp_path, "summarizer": Witness()}
    X, y, masks = shapes.images[:16], shapes.target[:16], shapes.masks[:16]
    plain = classifier(cv=2, summarizer=Witness()).fit(X, y, masks=masks)
    first = classifier(**settings).fit(X, y, masks=masks)
    monkeypatch.setattr(SupervisedSegmenter, "_learn", None)
    again = classifier(**settings).fit(X, y, masks=masks)
    for fitted in (first, again):
        np.testing.assert_array_equal(fitted.summarizer_.P_, plain.summarizer_.P_)


def test_several_classes_and_many_labels_in_folds(shapes):
    half = np.arange(20) % 2
    labels = shapes.target[:20] * (1 + half)
    masks = list(shapes.masks[:20] * (1 + half)[:, None, None].astype(np.uint8))
    fitted = classifier(cv=KFold(4), summarizer=Witness()).fit(
        shapes.images[:20], labels, masks=masks
    )
    assert fitted.summarizer_.P_.shape == (20, 2, 32, 32)
    indicator = np.stack([shapes.target[:20], 1 - shapes.target[:20]], axis=1)
    healthy = np.ones_like(shapes.masks[:20]) * indicator[:, 1, None, None]
    stacked = np.stack([shapes.masks[:20], healthy], axis=1)
    fitted = classifier(cv=2, summarizer=Witness()).fit(
        shapes.images[:20], indicator, masks=stacked
    )
    assert fitted.summarizer_.P_.shape == (20, 2, 32, 32)


def test_folds_that_leave_images_out_are_refused(shapes):
    with pytest.raises(ValueError, match="test every image once"):
        classifier(cv=ShuffleSplit(2), summarizer=Witness()).fit(
            shapes.images, shapes.target, masks=shapes.masks
        )


@pytest.mark.parametrize("remembers", [False, True])
def test_a_summarizer_of_embeddings(remembers, shapes, tmp_path):
    memory = tmp_path if remembers else None
    X, y, masks = shapes.images[:8], shapes.target[:8], shapes.masks[:8]
    fitted = classifier(summarizer=Witness("deep"), memory=memory).fit(X, y, masks=masks)
    expected = np.concatenate([maps for _, maps in fitted.segmenter_.embed_batches(X, "deep")])
    np.testing.assert_array_equal(fitted.summarizer_.P_, expected)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], expected.mean((1, 2, 3)), rtol=1e-5)


def test_the_summarizer_is_seeded_too(shapes):
    def flat(P):
        return P.reshape(len(P), -1)

    X, y, masks = shapes.images[:12], shapes.target[:12], shapes.masks[:12]
    forest = make_pipeline(FunctionTransformer(flat), RandomForestClassifier(3))
    first, second = (
        classifier(summarizer=forest).fit(X, y, masks=masks).summarizer_ for _ in range(2)
    )
    seed = first[-1].random_state
    assert seed == second[-1].random_state
    assert isinstance(seed, int)
    own = make_pipeline(FunctionTransformer(flat), RandomForestClassifier(3, random_state=5))
    assert classifier(summarizer=own).fit(X, y, masks=masks).summarizer_[-1].random_state == 5
    assert forest[-1].random_state is None
