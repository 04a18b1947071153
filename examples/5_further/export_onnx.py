"""
Export a model, and run it by onnxruntime
=========================================

:func:`~segclf.export_onnx` writes a fitted estimator as one ONNX graph, from images to labels and
masks. Running it needs neither segclf nor torch.
"""

import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime

from segclf import SegmentationClassifier, SupervisedSegmenter, export_onnx
from segclf.datasets import make_shapes
from segclf.displays import MaskDisplay

shapes = make_shapes(100, image_size=48, n_objects=8, target_radius=5, random_state=0)
X, y, masks = shapes.images, shapes.target, shapes.masks
segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=20, learning_rate=1e-2, schedule="one_cycle"
)
classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
classifier.fit(X[:80], y[:80], masks=masks[:80])

path = Path(tempfile.mkdtemp()) / "circles.onnx"
export_onnx(classifier, path)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# Everything below needs only onnxruntime and NumPy. The metadata contain the classes. Height
# and width are dynamic: the images at the end are larger than any training image.

session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
classes = np.array(json.loads(metadata["classes"]))
outputs = [each.name for each in session.get_outputs()]


def run(images):
    """What the graph says of images (n, h, w, c)."""
    return dict(zip(outputs, session.run(outputs, {"images": images}), strict=True))


answers = run(X[80:])
difference = np.abs(answers["probabilities"] - classifier.predict_proba(X[80:])).max()
print(f"probabilities differ from segclf's by {difference:.1e} at most")
assert difference < 1e-4

# %%
wide = np.concatenate([X[80:85], X[85:90]], axis=2)  # two images side by side
answers = run(wide)
MaskDisplay.from_predictions(
    wide,
    classes[answers["probabilities"].argmax(axis=1)],
    probabilities=answers["probabilities"].max(axis=1),
    y_true=y[80:85] | y[85:90],
    masks=answers["masks"],
    true_masks=np.concatenate([masks[80:85], masks[85:90]], axis=2),
    class_names=["no circle", "navy circle"],
    n_columns=5,
)
plt.show()
