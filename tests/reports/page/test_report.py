import datetime
import errno
import os
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from reports.page.answering import Answering, AnsweringLabels, numbered_images, two_class

from benchmarks.shared.disk_trouble import disk_trouble
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, report
from segclf.datasets import make_shapes

DAY = datetime.date(2026, 1, 2)


class Page(HTMLParser):
    """The tags and texts of a page, and the cards with their attributes."""

    VOID = ("meta", "img", "input", "br", "link")

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags, self.texts, self.open = [], [], []
        self.feed(self.source)
        assert self.open == []  # every tag is closed, in its order

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def cards(self):
        return [attrs for attrs in self.all("li") if attrs.get("class", "").startswith("card")]


def write(tmp_path, estimator, X, y, masks=None, **settings):
    settings = {"n_resamples": 20, "date": DAY} | settings
    return Page(report(estimator, X, y, masks, tmp_path / "report.html", **settings))


def test_one_file_that_needs_nothing_else(tmp_path):
    X, y, masks, estimator = two_class(24)
    page = write(tmp_path, estimator, X, y, masks)
    assert re.findall(r"https?:|@import|url\(|fetch\(|import\(", page.source) == []
    assert {image["src"].split(";")[0] for image in page.all("img")} == {"data:image/png"}
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "base")]
    assert not [tag for tag in page.all("script") if "src" in tag]
    assert "2026-01-02" in page.texts


@pytest.mark.parametrize("call", ["write", "flush", "replace"])
def test_a_full_disk_leaves_the_report_that_was_there(call, tmp_path):
    X, y, masks, estimator = two_class(4)
    before = write(tmp_path, estimator, X, y, masks).source
    full = pytest.raises(OSError, match=r"No space.*more than .* bytes are needed.*report\.html")
    with disk_trouble(errno.ENOSPC, at=call), full:
        write(tmp_path, estimator, X, y, masks, title="Another")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before
    assert os.listdir(tmp_path) == ["report.html"]


def test_errors_first_the_surest_of_them_first(tmp_path):
    X, y, masks, estimator = two_class(40)
    cards = write(tmp_path, estimator, X, y, masks).cards
    wrong = [card["data-kind"] != "right" for card in cards]
    expected = (estimator.predict(X) != y).sum()
    assert 0 < sum(wrong) == expected
    assert wrong == sorted(wrong, reverse=True)
    sure = [float(card["data-sure"]) for card in cards]
    assert sure[:expected] == sorted(sure[:expected], reverse=True)
    assert sure[expected:] == sorted(sure[expected:])


def test_what_a_card_says(tmp_path):
    X = numbered_images(4)
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]
    page = write(tmp_path, Answering(probabilities), X, [0, 0, 1, -1], class_names=["no", "yes"])
    assert [(card["data-name"], card["data-kind"]) for card in page.cards] == [
        ("image 1", "fp"),
        ("image 2", "fn"),
        ("image 0", "right"),
        ("image 3", "unknown"),
    ]
    assert [image["alt"] for image in page.all("img")] == [
        "image 1: false positive, predicted yes, truth no",
        "image 2: false negative, predicted no, truth yes",
        "image 0: right, predicted no, truth no",
        "image 3: no label, predicted yes",
    ]


def test_what_users_give_is_text_not_markup(tmp_path):
    X, y, masks, estimator = two_class(6)
    evil = '<script>alert(1)</script>"&{{cards}}'
    page = write(
        tmp_path, estimator, X, y, masks, class_names=[evil, "b"], title=evil, description=evil
    )
    assert len(page.all("script")) == 1
    assert len(page.cards) == 6
    assert page.texts.count(evil) >= 3
    assert any(evil in image["alt"] for image in page.all("img"))


@pytest.mark.skipif(os.name == "nt", reason="no such file names there")
def test_names_of_files_are_text_too(tmp_path):
    X, y, _, estimator = two_class(2)
    paths = [tmp_path / f'<b>"{i}.png' for i in range(2)]
    for path, image in zip(paths, X, strict=True):
        path.write_bytes(cv2.imencode(".png", image.astype(np.uint8))[1])
    estimator._numbers = lambda X: [paths.index(path) for path in X]
    page = write(tmp_path, estimator, paths, y)
    assert {card["data-name"] for card in page.cards} == {'<b>"0.png', '<b>"1.png'}


def test_five_hundred_images_fit_into_20_megabytes_whatever_they_show(tmp_path):
    random = np.random.default_rng(0)
    X = random.integers(0, 256, (4, 600, 600, 3), dtype=np.uint8)
    masks = random.integers(0, 2, (4, 600, 600))
    X[:, 0, 0, 0] = range(4)
    estimator = Answering(np.tile([0.25, 0.75], (4, 1)), masks[::-1])
    page = write(tmp_path, estimator, X, [0, 1, 0, 1], masks)
    assert len(page.cards) == 4
    longest = max(map(len, re.findall(r"<li class=\"card.*?</li>", page.source)))
    assert 10_000 < longest < 40_000


def test_only_the_worst_are_shown_but_all_are_counted(tmp_path):
    X, y, masks, estimator = two_class(40)
    everything = write(tmp_path, estimator, X, y, masks)
    few = write(tmp_path, estimator, X, y, masks, n_images=3)
    assert few.cards == everything.cards[:3]
    numbers = re.compile(r'<div class="numbers">.*?<form', re.S)
    same = numbers.search(few.source)[0] == numbers.search(everything.source)[0]
    assert same


def test_images_are_asked_for_in_batches_and_reports_repeat_themselves(tmp_path):
    X, y, masks, estimator = two_class(80)
    first = write(tmp_path, estimator, X, y, masks).source
    assert estimator.most == 32
    same = write(tmp_path, estimator, X, y, masks).source == first
    assert same


def test_without_masks_there_is_nothing_to_toggle(tmp_path):
    X, y, _, estimator = two_class(12)
    del estimator.predict_masks
    page = write(tmp_path, estimator, X, y)
    assert page.all("path") == page.all("svg") == []
    assert {field["name"] for field in page.all("input")} == {"show", "sure", "size"}
    assert "IoU" not in page.texts


def test_true_masks_show_where_a_classifier_without_masks_should_have_looked(tmp_path):
    X, y, masks, estimator = two_class(12)
    del estimator.predict_masks
    page = write(tmp_path, estimator, X, y, masks)
    assert len(page.all("svg")) == y.sum()
    assert "true" in {field["name"] for field in page.all("input")}
    assert "Found, by place " in page.texts
    assert "IoU" not in page.texts


def test_exclusive_classes_by_name(tmp_path):
    classes = np.array(["benign", "malignant", "normal"])
    said = np.array([0, 0, 1, 2, 1])
    estimator = Answering(np.eye(3)[said] * 0.7 + 0.1, classes=classes)
    estimator.negative_class_ = None
    X, y = numbered_images(5), classes[[0, 1, 1, 0, 2]]
    kinds = {
        card["data-name"]: card["data-kind"] for card in write(tmp_path, estimator, X, y).cards
    }
    assert [kinds[f"image {i}"] for i in range(5)] == [
        "right",
        "confused",
        "right",
        "confused",
        "confused",
    ]
    estimator.negative_class_ = "benign"
    kinds = {
        card["data-name"]: card["data-kind"] for card in write(tmp_path, estimator, X, y).cards
    }
    assert [kinds[f"image {i}"] for i in range(5)] == ["right", "fn", "right", "fp", "confused"]


def test_labels_that_do_not_exclude_each_other(tmp_path):
    X = numbered_images(4)
    y = np.array([[1, 0], [0, 0], [1, 1], [-1, 1]])
    probabilities = [[0.9, 0.2], [0.3, 0.6], [0.2, 0.4], [0.9, 0.8]]
    masks = np.zeros((4, 2, 12, 16), dtype=int)
    masks[2, :, 3:5, 3:5] = 1
    page = write(tmp_path, AnsweringLabels(probabilities, masks), X, y, masks)
    kinds = {card["data-name"]: card["data-kind"] for card in page.cards}
    assert [kinds[f"image {i}"] for i in range(4)] == ["right", "fp", "fn", "right"]
    assert {path.get("class") for path in page.all("path")} == {"r0", "r1", None}


def test_images_and_masks_of_several_sizes(tmp_path):
    sizes = [(8, 8), (20, 9), (500, 900)]
    X = [np.full(size, i) for i, size in enumerate(sizes)]
    masks = [None, np.eye(20, 9, dtype=int), np.ones((500, 900), dtype=int)]
    predicted = [np.zeros(size, dtype=int) for size in sizes]
    page = write(tmp_path, Answering([[0.8, 0.2]] * 3, predicted), X, [0, 1, 1], masks)
    boxes = {svg["viewbox"] for svg in page.all("svg")}
    assert boxes == {"-.5 -.5 180 400", "-.5 -.5 800 444"}


@pytest.mark.parametrize("kind", ["segmentation", "image"])
def test_of_a_trained_classifier(tmp_path, kind):
    shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    small = {"encoder": "tiny", "max_epochs": 1}
    classifier = {
        "segmentation": SegmentationClassifier(segmenter=SupervisedSegmenter(**small)),
        "image": ImageClassifier(**small),
    }[kind].set_params(random_state=0)
    classifier.fit(shapes.images, shapes.target, masks=shapes.masks)
    page = write(tmp_path, classifier, shapes.images, shapes.target, shapes.masks)
    sure = {card["data-name"]: float(card["data-sure"]) for card in page.cards}
    expected = classifier.predict_proba(shapes.images).max(axis=1)
    np.testing.assert_allclose([sure[f"image {i}"] for i in range(8)], expected, atol=1e-4)
    assert ("IoU" in page.texts) == (kind == "segmentation")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": SupervisedSegmenter()}, "needs a fitted classifier with classes_"),
        ({"y": [0, 1, 7, 1]}, "Label 7 of sample 2 is not one of the classes: .0, 1."),
        ({"y": [0, 1]}, "y has shape .2,.; expected a label for each of 4 images"),
        ({"y": np.zeros((4, 3))}, "expected an indicator .* for 2 classes"),
        ({"groups": [1, 2]}, "groups has shape .2,.; expected .4,."),
        ({"masks": [None]}, "1 masks for 4 images"),
    ],
)
def test_says_what_does_not_fit(tmp_path, change, message):
    X, y, masks, estimator = two_class(4)
    given = {"estimator": estimator, "X": X, "y": y, "masks": masks} | change
    with pytest.raises(ValueError, match=message):
        report(**given, path=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
