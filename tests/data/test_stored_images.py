"""Stored images are an X like any other: read when taken, cut by scikit-learn, told from others."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import GridSearchCV, cross_val_score

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.cache import digest
from segclf.data import PathImages, TarImages, as_images
from segclf.datasets import make_shapes
from segclf.testing.small import small_estimator
from segclf.training import predict

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def encoded(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(folder / "all.tar", "w") as archive:
        for number, image in enumerate(SHAPES.images):
            (folder / f"{number}.png").write_bytes(encoded(image))
            archive.add(folder / f"{number}.png", f"{number}.png")
    paths = [str(folder / f"{number}.png") for number in range(8)]
    (folder / "paths.txt").write_text("\n".join(paths))
    return {"list": paths, "paths": folder / "paths.txt", "tar": folder / "all.tar"}


@pytest.fixture(params=["paths", "tar"])
def X(request, stored):
    return {"paths": PathImages, "tar": TarImages}[request.param](stored[request.param])


def test_estimators_take_them_as_they_take_arrays(X):
    classifier = small_estimator(ImageClassifier, max_epochs=1).set_params(random_state=0)
    expected = classifier.fit(SHAPES.images, SHAPES.target).predict_proba(SHAPES.images)
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    np.testing.assert_array_equal(classifier.fit(X, SHAPES.target).predict_proba(X), expected)


def test_segmenters_and_what_is_composed_of_them_take_them(X):
    segmenter = small_estimator(SupervisedSegmenter, max_epochs=1)
    classifier = SegmentationClassifier(segmenter, random_state=0)
    classifier.fit(X, SHAPES.target, masks=SHAPES.masks)
    for answer in (classifier.predict_proba, classifier.predict_masks):
        np.testing.assert_array_equal(answer(X), answer(SHAPES.images))


def test_searches_cut_them(X):
    classifier = small_estimator(ImageClassifier, max_epochs=1).set_params(random_state=0)
    expected = cross_val_score(classifier, SHAPES.images, SHAPES.target, cv=2)
    np.testing.assert_array_equal(cross_val_score(classifier, X, SHAPES.target, cv=2), expected)
    search = GridSearchCV(classifier, {"learning_rate": [1e-3, 1e-2]}, cv=2, n_jobs=None)
    assert search.fit(X, SHAPES.target).predict(X).shape == (8,)


def test_parts_read_what_the_whole_reads(X, stored):
    part = pickle.loads(pickle.dumps(X[2:]))[np.array([3, 0])]
    assert part.shape == (2,)
    assert [key.rpartition("/")[2] for key in map(part.key, range(2))] == ["5.png", "2.png"]
    np.testing.assert_array_equal(part[0], SHAPES.images[5])
    header = part.header(1)
    assert (header.height, header.width, header.n_channels) == (16, 16, 3)
    assert as_images(X)._source.path(3) in (None, stored["list"][3])


def test_prediction_at_one_size_reads_no_header(X, monkeypatch):
    classifier = small_estimator(ImageClassifier, max_epochs=1).set_params(image_size=12)
    classifier.fit(SHAPES.images, SHAPES.target)
    monkeypatch.setattr(type(X), "header", lambda *_: pytest.fail("reads a header"))
    assert len(classifier.predict(X)) == 8


def test_prediction_at_their_own_sizes_reads_some_headers_at_a_time(X, monkeypatch):
    classifier = small_estimator(ImageClassifier, max_epochs=1).fit(SHAPES.images, SHAPES.target)
    expected, read, rows = classifier.predict_proba(SHAPES.images), X.header, []
    monkeypatch.setattr(predict, "HEADERS_AT_ONCE", 3)
    monkeypatch.setattr(X, "header", lambda row: rows.append(row) or read(row))
    batches = classifier.predict_proba_batches(X)
    indices, first = next(batches)
    assert indices.tolist() == rows == [0, 1, 2]
    found = np.concatenate([first, *(batch for _, batch in batches)])
    np.testing.assert_array_equal(found, expected)


def test_a_file_that_changes_after_its_header_was_read_is_told(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(SHAPES.images[0]))
    images = as_images(PathImages([path]))
    path.write_bytes(encoded(SHAPES.images[0][:8]))
    with pytest.raises(ValueError, match="changed after it was first read"):
        images.take([0])


def test_errors_give_number_and_key(tmp_path):
    (tmp_path / "b.png").write_bytes(encoded(SHAPES.images[0])[:-30])
    images = as_images(PathImages([tmp_path / "a.png", tmp_path / "b.png"]), n_channels=3)
    with pytest.raises(ValueError, match=r"Image 0: .*No such file.*a\.png"):
        images.take([0])
    with pytest.raises(ValueError, match=r"Image 1: Cannot read '.*b\.png': .*"):
        images.take([1])


def test_memory_knows_them_by_their_pixels(X, stored):
    assert digest(X) == digest(PathImages(stored["list"]))
    assert digest(X[1:]) != digest(X[:-1])
