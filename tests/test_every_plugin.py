"""Every installed plugin keeps what its kind promises, by our own conformance checks."""

import numpy as np
import pytest
from house.described import described, fitted_attributes
from PIL import Image

from segclf import ImageClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.hookspecs import ImageData
from segclf.registry import KINDS, list_plugins, make_plugin
from segclf.testing import check_plugin, check_reader, plugin_checks

PLUGINS = list_plugins()
SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def test_ours_are_found():
    assert ("summarizer", "segclf:threshold") in {(p.kind, p.id) for p in PLUGINS}


# "squeezenet" is a smaller one of its kind.
LARGE = {"segclf:resnet50"}
MARKED = [pytest.param(p, id=p.id, marks=[pytest.mark.slow] * (p.id in LARGE)) for p in PLUGINS]


@pytest.mark.parametrize("plugin", MARKED)
def test_plugin(plugin):
    check_plugin(plugin.kind, plugin.id)


@pytest.mark.parametrize(
    "plugin", [p for p in PLUGINS if p.kind != "reader"], ids=lambda plugin: plugin.id
)
def test_help_describes_what_was_learned(plugin):
    estimator = make_plugin(plugin.kind, plugin.id)
    small = {"max_epochs": 1, "image_size": 16}
    if plugin.kind == "pseudo_labeler":
        tiny = {"encoder": "tiny", "max_epochs": 1}
        small |= {"classifier": ImageClassifier(**tiny), "teacher": SupervisedSegmenter(**tiny)}
    names = small.keys() & estimator.get_params(deep=False).keys()
    estimator.set_params(**{name: small[name] for name in names})
    if plugin.kind == "summarizer":
        estimator.fit(np.random.default_rng(0).random((8, 1, 16, 16)), SHAPES.target)
    elif plugin.kind == "pseudo_labeler":
        estimator.fit(SHAPES.images, SHAPES.masks, labels=SHAPES.target)
    else:
        estimator.fit(SHAPES.images)
    assert fitted_attributes(estimator) <= set(described(type(estimator), "Attributes"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_checks(kind):
    assert len(plugin_checks(kind)) >= 8


def test_unknown_kind():
    with pytest.raises(
        ValueError, match="No kind of plugin named 'thresh'; expected one of pseudo"
    ):
        plugin_checks("thresh")


@pytest.mark.parametrize(
    ("answer", "failing"),
    [
        (lambda image: image > image.mean(), None),
        (lambda image: (image > 9).astype(np.uint8), "check_mask_form"),
        (lambda image: (image > 9)[:-1], "check_mask_form"),
        (lambda image: np.where(image.std() > 0, image > 9, np.nan), "check_mask_of_constant"),
    ],
)
def test_thresholders_that_break_their_promise_fail(answer, failing):
    failed = [c.__name__ for c in plugin_checks("thresholder")[3:] if _fails(c, answer)]
    assert any(name.startswith(failing) for name in failed) if failing else failed == []


def test_readers_that_break_their_promise_fail(tmp_path):
    reader, path = make_plugin("reader", "raster"), tmp_path / "a.png"
    Image.fromarray(SHAPES.images[0]).save(path)
    check_reader(reader, path)

    class Greedy(type(reader)):
        def sniff(self, start):
            return True

    class Lenient(type(reader)):
        def read(self, path):
            try:
                return super().read(path)
            except ValueError:
                return ImageData(np.zeros((2, 2, 1)), "hwc")

    class Vague(type(reader)):
        def read(self, path):
            return super().read(path)._replace(axes="hw")

    for broken, failing in (
        (Greedy(), "check_sniffs_no_noise"),
        (Lenient(), "check_truncated"),
        (Vague(), "check_header_agrees"),
    ):
        with pytest.raises(ExceptionGroup, match=failing):
            check_reader(broken, path)
    with pytest.raises(ExceptionGroup, match="check_mask_axes"):
        check_reader(reader, path, mask=True)


def test_summarizers_that_break_their_promise_fail():
    summarizer = make_plugin("summarizer", "threshold")

    class Contrary(type(summarizer)):
        def predict(self, P):
            return super().predict(P)[::-1]

    failed = [c.__name__ for c in plugin_checks("summarizer") if _fails(c, Contrary())]
    assert "check_summarizes" in failed

    class OfRows(type(summarizer)):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.two_d_array = True
            return tags

    failed = [c.__name__ for c in plugin_checks("summarizer") if _fails(c, OfRows())]
    assert failed == ["check_summarizer_says_what_it_reads"]


def _fails(check, subject):
    try:
        check(subject)
    except Exception:
        return True
    return False
