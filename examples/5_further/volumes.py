"""
Volumes
=======

A CT or MRI scan is a volume. :class:`~segclf.SliceWise` applies a segmenter of images to each
slice with its two neighbors, and combines the masks. A
:class:`~segclf.SegmentationClassifier` then labels the whole volume. Here a volume contains balls
of several shades, and is positive if one of them is bright.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from segclf import SegmentationClassifier, SliceWise, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.displays import MaskDisplay
from segclf.metrics import dice_score

# %%
# 36 volumes of 12 x 48 x 48 voxels. Noise makes single slices hard to read.

volumes = make_shapes(
    36,
    image_size=48,
    depth=12,
    n_objects=8,
    target_radius=5,
    target_color="yellow",
    background_colors=["navy", "purple", "red", "green"],
    spurious_color="orange",
    random_state=0,
)
noise = np.random.default_rng(0).normal(0, 20, volumes.images.shape)
X = np.clip(volumes.images + noise, 0, 255).astype(np.uint8)
y, masks = volumes.target, volumes.masks
train, test = np.arange(24), np.arange(24, 36)

# %%
# ``max_slices`` limits training to some slices of each volume, half of them with a finding.

segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=15, learning_rate=1e-2, schedule="one_cycle"
)
classifier = SegmentationClassifier(SliceWise(segmenter, neighbors=1, max_slices=8), random_state=0)
classifier.fit(X[train], y[train], masks=masks[train])

predicted = classifier.predict_masks(X[test])
auroc = roc_auc_score(y[test], classifier.predict_proba(X[test])[:, 1])
print(f"AUROC {auroc:.2f}, Dice of voxels {dice_score(masks[test], predicted, n_spatial=3):.2f}")

# %%
# Some slices of each volume side by side: the one with the largest finding, and others.

found = test[y[test] == 1][:3]
MaskDisplay.from_estimator(
    classifier,
    X[found],
    y[found],
    masks=masks[found],
    class_names=["none", "bright ball"],
    n_slices=6,
    n_columns=3,
    ax=plt.figure(figsize=(11, 3), layout="constrained"),
)
plt.show()
