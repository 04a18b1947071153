"""Heavy libraries wait until they are needed."""

import sys

import early
import pytest

# Until a network of theirs is built, a figure is drawn, or a test compares with them.
LATE = {"segmentation_models_pytorch", "timm", "torchvision", "huggingface_hub", "matplotlib"}
LATE |= {"lightly", "monai", "skimage", "skorch"}
LATE |= {"highdicom", "nibabel", "pydicom", "tifffile"}
LATE |= {"onnx", "onnxruntime", "onnxscript"}
FIT_TINY = """
import sys
import segclf
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

for name in segclf.__all__:
    getattr(segclf, name)
for plugin in segclf.list_plugins():
    if plugin.distribution == "segclf":
        segclf.load_plugin(plugin.kind, plugin.name)
shapes = make_shapes(4, image_size=16, n_objects=2, random_state=0)
tiny = {"encoder": "tiny", "max_epochs": 1}
ImageClassifier(**tiny).fit(shapes.images, shapes.target).predict_proba(shapes.images)
model = SegmentationClassifier(segmenter=SupervisedSegmenter(**tiny))
model.fit(shapes.images, shapes.target, masks=shapes.masks).predict_proba(shapes.images)
print(*{name.partition(".")[0] for name in sys.modules})
"""


TINY_FITTED = early.Process((sys.executable, "-c", FIT_TINY))


@pytest.mark.early(TINY_FITTED)
def test_estimators_plugins_and_tiny_networks_need_no_library_of_networks():
    done = early.result(TINY_FITTED)
    assert done.returncode == 0, done.output
    loaded = set(done.output.split())
    assert {"segclf", "segclf_plugins", "torch"} <= loaded
    assert LATE & loaded == set()
