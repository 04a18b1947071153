"""`import segclf` is light, and its stub is the one list of public names."""

import re
import subprocess
import sys

import pytest
from house.modules import ROOT

import segclf

HEAVY = {"cv2", "matplotlib", "pluggy", "sklearn", "timm", "torch"}
# What has to wait until a network of theirs is built, a figure drawn, a test run.
LATE = {"segmentation_models_pytorch", "timm", "torchvision", "huggingface_hub", "matplotlib"}
LATE |= {"lightly", "monai", "skimage", "skorch"}
IMPORT_ALL = """
import sys
import torch, sklearn.model_selection
before = {name.partition(".")[0] for name in sys.modules}
import segclf
for name in segclf.__all__:
    getattr(segclf, name)
for plugin in segclf.list_plugins():
    if plugin.distribution == "segclf":
        segclf.load_plugin(plugin.kind, plugin.name)
"""
FIT_TINY = """
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
shapes = make_shapes(4, image_size=16, n_objects=2, random_state=0)
tiny = {"encoder": "tiny", "max_epochs": 1}
ImageClassifier(**tiny).fit(shapes.images, shapes.target).predict_proba(shapes.images)
model = SegmentationClassifier(segmenter=SupervisedSegmenter(**tiny))
model.fit(shapes.images, shapes.target, masks=shapes.masks).predict_proba(shapes.images)
"""
REPORT = """
print(*sorted({name.partition(".")[0] for name in sys.modules} - before))
"""


def test_import_is_lazy():
    assert HEAVY.isdisjoint(run("import sys, segclf; print(*sys.modules)"))


def test_estimators_and_plugins_are_light():
    loaded = run(IMPORT_ALL + REPORT)
    assert {"segclf", "segclf_plugins"} <= loaded
    assert LATE & loaded == set()


def test_fitting_tiny_networks_needs_no_library_of_networks():
    assert LATE & run(IMPORT_ALL + FIT_TINY + REPORT) == set()


def test_stub_has_one_sorted_line_for_each_name():
    stub = (ROOT / "segclf" / "__init__.pyi").read_text()
    lines = [line for line in stub.splitlines() if "import" in line.split()]
    assert [line for line in lines if not re.fullmatch(r"from \S+ import (\w+) as \1", line)] == []
    assert lines == sorted(lines)
    assert len(lines) == len(segclf.__all__)


def test_every_name_loads_and_shows():
    assert set(segclf.__all__) <= set(dir(segclf))
    for name in segclf.__all__:
        assert getattr(segclf, name) is getattr(segclf, name)


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'Unet'"):
        _ = segclf.Unet


def run(code):
    """Return the words that a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
