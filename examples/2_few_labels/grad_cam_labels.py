"""
Grad-CAM's masks, corrected by labels
=====================================

Even a classifier trained on labels alone depends on certain pixels. CheXseg (Gadgil et al., MIDL
2021) makes masks from these: :class:`~segclf.PseudoLabelSemiSupervised` with the labeler
"grad_cam" thresholds Grad-CAM maps at the value that fits the few given masks, empties the masks of
images with a negative label, and trains a segmenter on them together with the experts' masks.
"""

import matplotlib.pyplot as plt
import numpy as np

from segclf import (
    ImageClassifier,
    PseudoLabelSemiSupervised,
    SupervisedSegmenter,
    load_plugin,
)
from segclf.datasets import make_shapes
from segclf.metrics import mean_iou

# %%
# A yellow circle among blue shapes. Eight of 120 images have a mask, all have a label.

scene = {
    "image_size": 48,
    "n_objects": 5,
    "target_color": "yellow",
    "target_radius": 7,
    "background_colors": ["navy", "purple", "green", "red"],
    "spurious_color": "pink",
}
shapes = make_shapes(160, **scene, random_state=0)
X, y = shapes.images[:120], shapes.target[:120]
masks = [*shapes.masks[:8], *[None] * 112]
X_test, masks_test = shapes.images[120:], shapes.masks[120:]

steps = {"max_epochs": 12, "learning_rate": 1e-2, "schedule": "one_cycle", "random_state": 0}
segmenter = SupervisedSegmenter(encoder="tiny", **steps)

# %%
# Predictions of the labeler for images without a mask, with and without their labels.

looking = ImageClassifier(encoder="tiny", **steps)
labeler = load_plugin("pseudo_labeler", "grad_cam")(classifier=looking)
labeler.fit(X, masks, labels=y)
rough = labeler.predict(X[8:], labels=np.full(112, -1))
corrected = labeler.predict(X[8:], labels=y[8:])

# %%
# A segmenter that learns from the given masks and from these. Grad-CAM finds the place, but not the
# outline: on shapes as easy as these, eight exact masks are worth more. On your own images,
# ``baseline=True`` compares both on held-out masks, and ``guard=True`` keeps the better one.

both = PseudoLabelSemiSupervised(segmenter, labeler=labeler, baseline=False, random_state=0)
both.fit(X, masks, labels=y)
alone = SupervisedSegmenter(encoder="tiny", **steps).fit(X[:8], masks[:8])

for name, model in {"8 masks": alone, "8 masks and Grad-CAM's": both}.items():
    print(f"{name:<24} IoU {mean_iou(masks_test, model.predict(X_test)):.2f}")

# %%
shown = np.concatenate([np.flatnonzero(y[8:] == 1)[:4], np.flatnonzero(y[8:] == 0)[:2]])
final = both.predict(X[8:][shown])
rows = {
    "Grad-CAM's mask": [rough[i] for i in shown],
    "corrected by the label": [corrected[i] for i in shown],
    "what was learned": final,
}
figure, axes = plt.subplots(3, 6, figsize=(10, 5.4), layout="constrained")
for row, (name, found) in zip(axes, rows.items(), strict=True):
    row[0].set_ylabel(name)
    for ax, i, mask in zip(row, shown, found, strict=True):
        ax.imshow(X[8:][i])
        ax.imshow(np.ma.masked_not_equal(mask, 1), cmap="cool_r", vmin=0, vmax=1, alpha=0.7)
        ax.set(xticks=[], yticks=[])
for ax, i in zip(axes[0], shown, strict=True):
    ax.set_title("yellow circle" if y[8:][i] else "none")
plt.show()
