"""
Which masks are wrong?
======================

People make errors when they draw masks. :func:`~segclf.audit_masks` predicts each image by a model
that did not see it, and ranks masks and labels by how confidently that model contradicts them. Here
six masks of eighty are damaged on purpose, and three labels are flipped.
"""

import matplotlib.pyplot as plt
import numpy as np

from segclf import SegmentationClassifier, SupervisedSegmenter, audit_masks
from segclf.datasets import make_shapes

shapes = make_shapes(80, image_size=48, n_objects=6, target_radius=6, random_state=0)
X, y, masks = shapes.images, shapes.target.copy(), shapes.masks.copy()
random = np.random.default_rng(0)

positive = random.permutation(np.flatnonzero(y))
for i in positive[:3]:
    masks[i] = 0  # forgotten
for i in positive[3:6]:
    masks[i] = np.roll(masks[i], (10, 14), axis=(0, 1))  # misplaced
flipped = random.choice(np.flatnonzero(y == 0), 3, replace=False)
y[flipped] = 1
wrong = set(positive[:6].tolist())

# %%
segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=25, learning_rate=1e-2, schedule="one_cycle"
)
classifier = SegmentationClassifier(segmenter=segmenter, summarizer="threshold")
audit = audit_masks(classifier, X, y, masks, cv=2, random_state=0)
print(audit)

# %%
# The eight most suspicious masks. The annotation is dashed. A cross marks damaged masks.

figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained")
for ax, row in zip(axes.flat, audit.masks[:8], strict=True):
    i = row["sample"]
    ax.imshow(X[i])
    if masks[i].any():
        ax.contour(masks[i], levels=[0.5], colors="white", linestyles="dashed", linewidths=2)
    mark = "✗ " if i in wrong else ""
    ax.set_title(f"{mark}image {i}: {row['suspicion']}, {row['score']:.2f}", fontsize=10)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
found = {int(i) for i in audit.masks["sample"][:6]}
print(f"{len(found & wrong)} of the 6 damaged masks are among the first 6")
