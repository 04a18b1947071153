import errno
import importlib.util

import cv2
import matplotlib
import pytest
import rich

from benchmarks.shared.disk_trouble import disk_trouble
from segclf import demo
from segclf.__main__ import main

matplotlib.use("Agg")


@pytest.fixture
def small(monkeypatch):
    """The demo with few, small images."""
    monkeypatch.setattr(demo, "N_TRAIN", 12)
    monkeypatch.setattr(demo, "N_TEST", 10)
    scene = {"image_size": 32, "n_objects": 3, "target_radius": 3}
    monkeypatch.setattr(demo, "SCENE", demo.SCENE | scene)
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_prints_progress_and_a_table_and_draws(small, tmp_path, capsys):
    picture = tmp_path / "new" / "demo.png"
    results = demo.run(picture, encoder="tiny", max_epochs=2)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert "SupervisedSegmenter - fit" in printed
    assert "100%" in printed
    rows = {words[0]: words for words in map(str.split, printed.splitlines()) if words}
    for result in results:
        assert rows[result.name][1:3] == [f"{result.auroc:.2f}", f"{result.balanced_accuracy:.2f}"]
    assert str(picture.resolve()) in printed
    for result in results:
        assert f"Chosen by {result.name}: encoder_weights=None, encoder_rate=1.0" in printed
    height, width = cv2.imread(str(picture)).shape[:2]
    assert width > height > 100


def test_a_full_disk_leaves_the_picture_that_was_there(small, tmp_path):
    picture = tmp_path / "demo.png"
    picture.write_bytes(b"old")
    with disk_trouble(errno.ENOSPC, at="write"), pytest.raises(OSError, match=r"bytes.*demo\.png"):
        demo.run(picture, encoder="tiny", max_epochs=1)
    assert picture.read_bytes() == b"old"


def test_both_models_come_with_their_defaults_but_a_seed():
    models = demo._models(3, encoder="auto", max_epochs="auto")
    assert str(models["SegmentationClassifier"]) == "SegmentationClassifier(random_state=3)"
    assert str(models["ImageClassifier"]) == "ImageClassifier(random_state=3)"


def test_what_is_given_is_given_to_both():
    models = demo._models(3, encoder="tiny", max_epochs=7)
    ours = models["SegmentationClassifier"].segmenter
    for each in (ours, models["ImageClassifier"]):
        assert (each.encoder, each.max_epochs) == ("tiny", 7)


@pytest.mark.parametrize(("options", "expected"), [([], "auto"), (["--epochs", "3"], 3)])
def test_the_command_hands_on_its_options(options, expected, monkeypatch):
    given = {}
    monkeypatch.setattr(demo, "run", lambda output, **settings: given.update(settings))
    assert main(["demo", *options]) == 0
    assert given == {"seed": 0, "max_epochs": expected}


def test_no_test_image_is_trained_on(small):
    shapes = demo.make_shapes(22, **demo.SCENE, random_state=0)
    train, test = demo._split(shapes)
    assert (len(train.images), len(test.images)) == (12, 10)
    assert (train.masks[-1] == shapes.masks[11]).all()
    assert (test.images[0] == shapes.images[12]).all()


def test_says_what_to_install_before_it_trains(monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: (name != "rich" and found(name)) or None
    )
    with pytest.raises(SystemExit, match=r"needs rich: pip install 'segclf\[plot\]'"):
        demo.run(tmp_path / "demo.png")


@pytest.fixture(autouse=True)
def _restore_console():
    width = rich.get_console().width
    yield
    rich.reconfigure(width=width)
