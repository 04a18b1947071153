"""A file that changes while it is used is an error that names it and says how."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segclf import (
    ImageClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SupervisedSegmenter,
)
from segclf.data import as_images, as_masks, map_masks
from segclf.data.watched_file import WatchedFile
from segclf.testing.small import small_estimator


def save(path, value=0, size=(16, 16)):
    Image.new("L", size, value).save(path)
    return str(path)


def rewrite(path):
    """In its place, with the same size."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(0, 0))


def replace(path):
    save(path.with_suffix(".new.png"), value=1)
    os.replace(path.with_suffix(".new.png"), path)


def grow(path):
    path.write_bytes(path.read_bytes() + b" ")


CHANGES = {
    rewrite: "it was written to",
    replace: "another file has its name",
    grow: r"it was written to, it had \d+ bytes and has \d+",
    os.unlink: "it was removed",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("n_channels", [None, 1], ids=["headers were read", "nothing was read"])
def test_an_image(change, n_channels, tmp_path):
    paths = [save(tmp_path / f"{number}.png") for number in range(3)]
    images = as_images(paths, n_channels=n_channels)
    change(tmp_path / "1.png")
    images.take([0, 2])
    for read in (lambda: images.take([0, 1]), lambda: images[1]):
        with pytest.raises(ValueError, match=rf"^Image 1.*1\.png' changed .*: {CHANGES[change]}"):
            read()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("mapped", [False, True])
def test_a_mask(mapped, change, tmp_path):
    paths = [save(tmp_path / f"{number}.png") for number in range(3)]
    masks = as_masks(map_masks(paths, {0: 0}) if mapped else paths, 3)
    change(tmp_path / "1.png")
    assert masks[0].shape == (16, 16)
    with pytest.raises(ValueError, match=rf"^Mask 1.*1\.png' changed .*: {CHANGES[change]}"):
        masks[1]


def test_a_file_that_cannot_be_read_stays_what_it_was(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    watched = WatchedFile(path)
    assert WatchedFile.of(watched) is watched
    for _ in range(2):
        with pytest.raises(ValueError, match="not a PNG"):
            as_images([path])
    assert os.fspath(watched) == str(path)
    assert watched.read(os.path.getsize) == 8


@pytest.fixture
def files(tmp_path):
    """Four images of noise, and masks of squares on two of them."""
    rng = np.random.default_rng(0)
    arrays = {"images": rng.integers(0, 256, (4, 16, 16), dtype=np.uint8)}
    arrays["masks"] = np.zeros((4, 16, 16), dtype=np.uint8)
    arrays["masks"][1::2, 4:9, 4:9] = 1
    for name, each in arrays.items():
        (tmp_path / name).mkdir()
        for number, array in enumerate(each):
            Image.fromarray(array).save(tmp_path / name / f"{number}.png")
    return {name: [str(tmp_path / name / f"{n}.png") for n in range(4)] for name in arrays}


@pytest.fixture
def after_epoch(monkeypatch):
    """What to do after the first epoch of each fit; they are counted."""
    from segclf.training import loop

    train_epoch, epochs, actions = loop._train_epoch, [], []

    def then_act(*args, **options):
        result = train_epoch(*args, **options)
        epochs.append(result)
        for act in actions if len(epochs) == 1 else ():
            act()
        return result

    monkeypatch.setattr(loop, "_train_epoch", then_act)
    return actions, epochs


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        (SupervisedSegmenter, "images"),
        (SupervisedSegmenter, "masks"),
        (ImageClassifier, "images"),
        (SegmentationClassifier, "masks"),
    ],
)
def test_files_that_are_read_in_each_epoch(kind, folder, files, after_epoch, monkeypatch):
    monkeypatch.setattr("segclf.data.loader.PRELOADED_BYTES", 0)
    actions, epochs = after_epoch
    path = files[folder][1]
    actions.append(lambda: replace(Path(path)))
    y = files["masks"] if kind is SupervisedSegmenter else [0, 1, 0, 1]
    given = {"masks": files["masks"]} if kind is SegmentationClassifier else {}
    with pytest.raises(ValueError, match=rf"{path}' changed after it was first read"):
        small_estimator(kind, max_epochs=3).fit(files["images"], y, **given)
    assert len(epochs) == 1


@pytest.mark.parametrize("kind", [SegmentationClassifier, PseudoLabelSemiSupervised])
def test_from_one_part_of_a_fit_to_the_next(kind, files, after_epoch):
    """The segmenter has read all files once; the summarizer, or the labeler, reads them again."""
    actions, _ = after_epoch
    actions.append(lambda: replace(Path(files["images"][0])))
    estimator = small_estimator(kind, max_epochs=1)
    given, named = ([None, *files["masks"][1:]],), {}
    if kind is SegmentationClassifier:
        given, named = ([0, 1, 0, 1],), {"masks": files["masks"]}
    with pytest.raises(
        (RuntimeError, ValueError), match=r"images/0\.png' changed after it was first read"
    ):
        estimator.fit(files["images"], *given, **named)


def test_what_is_read_once_may_change_later(files, after_epoch):
    actions, epochs = after_epoch
    actions.append(lambda: replace(Path(files["images"][0])))
    small_estimator(ImageClassifier, max_epochs=2).fit(files["images"], [0, 1, 0, 1])
    assert len(epochs) == 2


def test_a_prediction(files):
    fitted = small_estimator(ImageClassifier, max_epochs=1).fit(files["images"], [0, 1, 0, 1])
    images = as_images(files["images"])
    grow(Path(files["images"][3]))
    with pytest.raises(ValueError, match=r"3\.png' changed after it was first read"):
        fitted.predict(images)
    fitted.predict(files["images"])
