"""However classes are called, and wherever the negative one is sorted."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import (
    ImageClassifier,
    MaskScorer,
    MultitaskClassifier,
    SegmentationClassifier,
    SupervisedSegmenter,
    load,
    save,
)
from segclf.base import ContradictionWarning
from segclf.data import as_images, as_masks
from segclf.datasets import make_shapes
from segclf.displays import SummarizerDisplay
from segclf.reports import framing_report
from segclf.reports.page.answers import ask
from segclf.reports.page.budget import budget_for

SHAPES = make_shapes(24, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks.astype(int)
KINDS = Y * (1 + np.arange(24) % 2)
MASKS_OF_KINDS = MASKS * (1 + np.arange(24) % 2)[:, None, None]
TINY = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}
LEARNED = make_pipeline(FunctionTransformer(lambda P: P.reshape(len(P), -1)), LogisticRegression())


def classifier(**changes):
    return SegmentationClassifier(segmenter=SupervisedSegmenter(**TINY), random_state=0, **changes)


def probabilities(names, **changes):
    """Of the classes in the order none, first, second kind, however they are called."""
    fitted = classifier(**changes).fit(X, np.array(names)[KINDS], masks=MASKS_OF_KINDS)
    assert fitted.negative_class_ == names[0]
    return fitted.predict_proba(X)[:, np.argsort(np.argsort(names))]


@pytest.mark.parametrize("changes", [{}, {"summarizer": LEARNED}, {"cv": 2, "summarizer": LEARNED}])
def test_names_change_nothing(changes):
    expected = probabilities(["0 normal", "1 benign", "2 malignant"], **changes)
    for names in (["normal", "benign", "malignant"], ["m", "a", "z"]):
        np.testing.assert_array_equal(probabilities(names, **changes), expected)
    binary = classifier(**changes).fit(X, Y, masks=MASKS).predict_proba(X)
    inverted = classifier(**changes).fit(X, np.array(["normal", "fracture"])[Y], masks=MASKS)
    assert inverted.classes_.tolist() == ["fracture", "normal"]
    np.testing.assert_array_equal(inverted.predict_proba(X)[:, ::-1], binary)
    np.testing.assert_array_equal(
        inverted.predict(X) == "fracture", binary.argmax(axis=1).astype(bool)
    )


@pytest.mark.parametrize("changes", [{}, {"class_weight": "balanced"}, {"positive_fraction": 0.7}])
def test_a_negative_without_a_mask_has_an_empty_one(changes):
    """Whether it is given or not, the same is learned, to the last bit."""
    given = [mask if i < 8 or not Y[i] else None for i, mask in enumerate(MASKS)]
    by_label = [mask if i < 8 else None for i, mask in enumerate(MASKS)]
    explicit, free = (
        classifier().set_params(segmenter=SupervisedSegmenter(**TINY, **changes)).fit(X, Y, masks=m)
        for m in (given, by_label)
    )
    np.testing.assert_array_equal(free.predict_mask_proba(X), explicit.predict_mask_proba(X))
    np.testing.assert_array_equal(free.predict_proba(X), explicit.predict_proba(X))


def test_a_class_named_by_hand():
    names, annotated = np.array(["normal", "fracture"])[Y], [m if m.any() else None for m in MASKS]
    fitted = classifier(negative_class="normal").fit(X, names, masks=annotated)
    expected = classifier().fit(X, Y, masks=annotated).predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(X)[:, ::-1], expected)
    with pytest.raises(
        ValueError, match=r"class 'fracture'.*Set negative_class to the class that shows"
    ):
        classifier().fit(X, names, masks=annotated)


def test_every_class_may_have_a_region():
    regions = np.where(MASKS == 1, 2, 1)
    fitted = classifier(negative_class=None).fit(X, Y, masks=regions)
    assert fitted.negative_class_ is None
    assert fitted.predict_mask_proba(X).shape[1] == 3


def test_in_two_heads():
    """The decoder learns the same, whatever classes are called."""
    names = np.array(["normal", "fracture"])
    first, second = (
        MultitaskClassifier(**TINY, label_weight=0.0).fit(X, labels, masks=MASKS)
        for labels in (Y, names[Y])
    )
    assert (first.negative_class_, second.negative_class_) == (0, "normal")
    np.testing.assert_array_equal(second.predict_mask_proba(X), first.predict_mask_proba(X))
    annotated = [mask if mask.any() else None for mask in MASKS]
    with pytest.raises(ValueError, match="class 'fracture'"):
        MultitaskClassifier(**TINY).fit(X, names[Y], masks=annotated)


def test_masks_that_are_out_of_step():
    with pytest.raises(ValueError, match="Are masks in the order"):
        classifier().fit(X, Y, masks=np.roll(MASKS, 1, axis=0))
    slip = MASKS.copy()
    slip[np.flatnonzero(Y == 0)[0], 0, 0] = 1
    with pytest.warns(ContradictionWarning, match="in 1 of 24 images"):
        classifier().fit(X, Y, masks=slip)


def test_one_versus_rest_sees_ids_of_the_rest():
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = OneVsRestClassifier(MultitaskClassifier(**TINY).set_fit_request(masks=True))
        with pytest.raises(ValueError, match="contradict each other"):
            estimator.fit(X, KINDS, masks=MASKS_OF_KINDS)


@pytest.fixture(scope="module")
def inverted():
    return classifier().fit(X, np.array(["normal", "fracture"])[Y], masks=MASKS)


@pytest.fixture(scope="module")
def plain():
    return classifier().fit(X, Y, masks=MASKS)


def test_scorers_and_reports_know_it(plain, inverted):
    names = np.array(["normal", "fracture"])[Y]
    scored = {}
    for name, fitted, labels in (("plain", plain, Y), ("inverted", inverted, names)):
        MaskScorer(lambda *given, name=name: scored.update({name: given}) or 0.0, with_labels=True)(
            fitted, X, labels, masks=MASKS
        )
    for mine, theirs in zip(scored["plain"][:2], scored["inverted"][:2], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    how = {"budget": budget_for(len(Y), 2, None), "spacing": None}
    asked = [
        ask(fitted, as_images(X), X, labels, MASKS, **how)
        for fitted, labels in ((inverted, names), (plain, Y))
    ]
    for attribute in ("positive", "found", "kinds"):
        np.testing.assert_array_equal(*(getattr(each, attribute) for each in asked))
    annotated = SummarizerDisplay.from_estimator(inverted, X, names)
    expected = SummarizerDisplay.from_estimator(plain, X, Y)
    np.testing.assert_array_equal(annotated.scores, expected.scores)
    np.testing.assert_array_equal(annotated.y_true, expected.y_true)


def test_a_file_remembers_it(inverted, tmp_path):
    save(inverted, tmp_path / "a.safetensors")
    again = load(tmp_path / "a.safetensors")
    assert again.negative_class_ == "normal"
    np.testing.assert_array_equal(again.predict_proba(X), inverted.predict_proba(X))


def test_files_are_read_once_for_it(monkeypatch, tmp_path):
    cv2 = pytest.importorskip("cv2")
    paths = []
    for number, mask in enumerate(MASKS):
        paths.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(paths[-1], mask.astype(np.uint8))
    reads = []
    from segclf.data import mask_scan

    read = mask_scan.read_mask
    monkeypatch.setattr(mask_scan, "read_mask", lambda path: (reads.append(path), read(path))[1])
    as_masks(paths, 24)
    assert len(reads) == 24
    classifier().set_params(segmenter__max_epochs=1).fit(X, Y, masks=paths)
    assert len(reads) == 3 * 24  # one look, and one epoch


def test_a_pilot_of_any_names():
    names = np.array(["normal", "fracture"])[Y]
    small = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    reports = [
        framing_report(
            X,
            labels,
            MASKS,
            cost_per_mask=1.0,
            cost_per_label=1.0,
            segmentation=SegmentationClassifier(segmenter=SupervisedSegmenter(**small)),
            classification=ImageClassifier(**small),
            train_sizes=[1.0],
            cv=2,
            n_patches=50,
            n_resamples=20,
            random_state=0,
        )
        for labels in (Y, names)
    ]
    assert reports[0].n_positive == reports[1].n_positive == Y.sum()
    np.testing.assert_array_equal(reports[0].target_sizes, reports[1].target_sizes)
    first, second = (each.segmentation.auroc for each in reports)
    np.testing.assert_allclose(first, second)
    with pytest.raises(ValueError, match="No mask of a positive image shows a finding"):
        framing_report(
            X,
            names,
            [mask if mask.any() else None for mask in MASKS],
            cost_per_mask=1.0,
            cost_per_label=1.0,
            segmentation=SegmentationClassifier(negative_class="fracture"),
        )
