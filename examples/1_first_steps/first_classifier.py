"""
A first classifier
==================

Which tiles of a photograph of gravel are scratched? Sixty tiles have a label, and the scratched
ones also have a mask. :class:`~segclf.SegmentationClassifier` learns where the scratches are and
predicts the label from the predicted mask; :class:`~segclf.ImageClassifier` learns from labels
alone.

The photograph is scikit-image's `gravel` (CC0); the scratches are painted.
"""

import cv2
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from sklearn.metrics import roc_auc_score

from segclf import ImageClassifier, SegmentationClassifier

# %%
# Images, labels and masks
# ------------------------
#
# Every second tile gets a thin dark scratch. A mask is 1 on the scratch and 0 elsewhere.

random = np.random.default_rng(0)
gravel = data.gravel()


def make_tile(scratched, size=96):
    """A random tile of gravel, and the mask of its scratch."""
    top, left = random.integers(0, 512 - size, 2)
    tile = gravel[top : top + size, left : left + size].copy()
    mask = np.zeros_like(tile)
    if scratched:
        steps = random.normal(random.normal(0, 2, 2), 1.0, (12, 2))
        points = (random.uniform(0.3, 0.7, 2) * size + steps.cumsum(0)).astype(np.int32)
        cv2.polylines(mask, [points], False, 1, thickness=3)
        tile[mask > 0] = tile[mask > 0] * 0.35
    return tile, mask


y = np.arange(160) % 2
X, masks = map(np.stack, zip(*(make_tile(label) for label in y), strict=True))
train, test = np.arange(60), np.arange(60, 160)

# %%
# Fit both, and compare
# ---------------------
#
# Neither needs arguments: both train a light head on a frozen pretrained encoder.

through_masks = SegmentationClassifier(random_state=0).fit(X[train], y[train], masks=masks[train])
straight = ImageClassifier(random_state=0).fit(X[train], y[train])

for classifier in (through_masks, straight):
    auroc = roc_auc_score(y[test], classifier.predict_proba(X[test])[:, 1])
    print(f"{type(classifier).__name__:<24} AUROC {auroc:.3f}")

# %%
# Look at the masks
# -----------------
#
# A label comes from a mask, so each prediction can be checked. Predicted masks are filled, true
# masks are outlined. A green frame means that the label is right.

from segclf.displays import MaskDisplay

shown = test[:8]
MaskDisplay.from_estimator(
    through_masks,
    X[shown],
    y[shown],
    masks=masks[shown],
    class_names=["intact", "scratched"],
    n_columns=4,
)
plt.show()
