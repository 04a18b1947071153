import re

import nibabel
import numpy as np
import pytest
from reports.page.answering import VolumeAnswering, two_class_of_volumes
from reports.page.test_report import Page, write

from segclf import SegmentationClassifier, SliceWise, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.metrics import average_surface_distance, dice_score, hausdorff_distance, mean_iou
from segclf.reports.page import _report
from segclf.reports.page.budget import budget_for

SPACING = (5.0, 0.5, 1.0)


def numbers_of(page):
    """The numbers by their names, as the page shows them."""
    rows = r'<th scope="row">([^<]+) <small>.*?</td><td>([0-9.]+)</td>'
    return {name: float(value) for name, value in re.findall(rows, page.source)}


def test_each_volume_is_one_drawing_of_its_slices(tmp_path):
    X, y, masks, estimator = two_class_of_volumes(12)
    page = write(tmp_path, estimator, X, y, masks, n_slices=4)
    assert len(page.cards) == len(page.all("image")) == 12
    assert page.all("img") == []
    assert estimator.most == 1
    for card in page.cards:
        row = int(card["data-name"].removeprefix("volume "))
        slices = list(map(int, card["data-slices"].split()))
        assert len(slices) == 4
        assert (slices[0], card["data-depth"]) == (0, "9")
        areas = (estimator.predict_masks(X[[row]])[0] > 0).sum((1, 2))
        areas = areas if areas.any() else (masks[row] > 0).sum((1, 2))
        if areas.any():
            assert areas[slices[int(card["data-at"])]] == areas.max()
    assert "12 volumes · 6 with an annotated target" in "".join(page.texts)
    assert "montage" in {field.get("name") for field in page.all("input")}
    assert not re.search(r"\bimages?\b", " ".join(page.texts[:80]))


def test_numbers_are_those_of_voxels(tmp_path):
    X, y, masks, estimator = two_class_of_volumes(12)
    said = estimator.predict_masks(X)
    numbers = numbers_of(write(tmp_path, estimator, X, y, masks, spacing=SPACING))
    assert numbers["IoU"] == pytest.approx(mean_iou(masks, said, n_spatial=3), abs=0.006)
    assert numbers["Dice"] == pytest.approx(dice_score(masks, said, n_spatial=3), abs=0.006)
    how = {"spacing": SPACING, "empty": "ignore", "missing": np.nan, "n_spatial": 3}
    average = average_surface_distance(masks, said, **how)
    assert numbers["average distance"] == pytest.approx(average, abs=0.006)
    most = hausdorff_distance(masks, said, percentile=95, **how)
    assert numbers["95 % distance"] == pytest.approx(most, abs=0.006)


def test_millimeters_where_a_spacing_is_known(tmp_path):
    X, y, masks, estimator = two_class_of_volumes(6)
    without = write(tmp_path, estimator, X, y, masks)
    assert "From outline to outline " not in without.texts
    assert not any("mm³" in text for text in without.texts)
    page = write(tmp_path, estimator, X, y, masks, spacing=SPACING)
    size = int(masks[1].sum() * 2.5)
    assert any(re.fullmatch(rf"predicted \d+, annotated {size} mm³", text) for text in page.texts)
    assert any(text.startswith("outlines ") for text in page.texts)


def test_headers_of_files_know_the_spacing(tmp_path):
    X, y, masks, estimator = two_class_of_volumes(4)
    paths = [tmp_path / f"{row}.nii" for row in range(4)]
    for path, volume in zip(paths, X, strict=True):
        # slices go from the feet to the head, rows to the back, columns to the patient's left
        affine = np.diag([-1.0, -0.5, 5.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(volume.T.astype(np.int16), affine), path)
    by_path = VolumeAnswering(estimator.probabilities, estimator.predict_masks(X))
    by_path._numbers = lambda X: [paths.index(path) for path in X]
    given = write(tmp_path, estimator, X, y, masks, spacing=SPACING)
    from_files = write(tmp_path, by_path, paths, y, masks)
    assert numbers_of(from_files) == numbers_of(given)
    assert {card["data-name"] for card in from_files.cards} == {path.name for path in paths}


def test_five_hundred_volumes_fit_into_20_megabytes_whatever_they_show(tmp_path):
    random = np.random.default_rng(0)
    X = random.integers(0, 4096, (2, 14, 160, 160)).astype(np.int16)
    X[:, 0, 0, 0] = range(2)
    masks = np.zeros(X.shape, dtype=np.uint8)
    masks[..., :30, :30] = random.integers(0, 2, (2, 14, 30, 30))
    estimator = VolumeAnswering([[0.25, 0.75]] * 2, masks[::-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_report, "budget_for", lambda n, *how: budget_for(500, *how))
        page = write(tmp_path, estimator, X, [0, 1], masks)
    longest = max(map(len, re.findall(r"<li class=\"card.*?</li>", page.source)))
    assert 10_000 < longest < 40_000
    assert {len(card["data-slices"].split()) for card in page.cards} == {12}


def test_of_a_trained_classifier_of_slices(tmp_path):
    shapes = make_shapes(6, image_size=16, depth=4, n_objects=2, target_radius=3, random_state=8)
    inner = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    classifier = SegmentationClassifier(SliceWise(inner), random_state=0)
    X = np.repeat(shapes.images[:, None], 3, axis=1)
    classifier.set_params(segmenter__channels="first")
    classifier.fit(X, shapes.target, masks=shapes.masks)
    page = write(tmp_path, classifier, X, shapes.target, shapes.masks)
    assert isinstance(page, Page)
    sure = {card["data-name"]: float(card["data-sure"]) for card in page.cards}
    expected = classifier.predict_proba(X).max(axis=1)
    np.testing.assert_allclose([sure[f"volume {i}"] for i in range(6)], expected, atol=1e-4)
    assert all(card["data-slices"] == "0 1 2 3" for card in page.cards)


def test_several_sizes_and_overlapping_classes(tmp_path):
    sizes = [(4, 8, 8), (9, 6, 12)]
    X = [np.full(size, i, dtype=np.int16) for i, size in enumerate(sizes)]
    masks = [np.zeros((2, *size), dtype=np.uint8) for size in sizes]
    masks[1][:, 5, 2:4, 2:4] = 1
    estimator = VolumeAnswering([[0.8, 0.3], [0.6, 0.9]], masks)
    estimator.predict = lambda X: (estimator.predict_proba(X) >= 0.5).astype(int)
    page = write(tmp_path, estimator, X, np.array([[1, 0], [1, 1]]), masks, spacing=(1, 1, 1))
    assert {path.get("class") for path in page.all("path")} == {"r0", "r1", None}
    assert {card["data-depth"] for card in page.cards} == {"4", "9"}
