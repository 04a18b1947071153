"""
Where it fails
==============

One score hides where a model is wrong. Masks show which findings are missed, by size and by
place in the image, and whether a right prediction has the right reason.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import recall_score

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.displays import ErrorMapDisplay, MaskDisplay
from segclf.metrics import group_by_area, strict_recall, subgroup_scores

# %%
# In training all circles are large. In the test they have all sizes.

scene = {"image_size": 64, "n_objects": 16, "spurious_color": "blue"}
known = make_shapes(90, **scene, target_radius=(4, 7), random_state=0)
new = make_shapes(300, **scene, target_radius=(1, 7), random_state=1)
X, y, masks = new.images, new.target, new.masks

segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=12, learning_rate=1e-2, schedule="one_cycle"
)
classifier = SegmentationClassifier(segmenter=segmenter, summarizer="threshold", random_state=0)
classifier.fit(known.images, known.target, masks=known.masks)

# %%
# Recall, and strict recall, which counts a finding only if the predicted mask is in its place.

labels, predicted = classifier.predict(X), classifier.predict_masks(X)
print(f"recall        {recall_score(y, labels):.2f}")
print(f"strict recall {strict_recall(y, labels, masks, predicted):.2f}")

# %%
# By size, with 95 % intervals.

sizes = group_by_area(masks, bins=4)
rows = subgroup_scores(recall_score, y, labels, sizes, n_resamples=200, random_state=0)
for row in rows:
    print(f"{row.name:<24} recall {row.estimate:.2f} ({row.low:.2f} to {row.high:.2f}), n {row.n}")

# %%
# By place: false-negative and false-positive pixels, summed over all images.

ErrorMapDisplay.from_estimator(classifier, X, y, masks)
plt.show()

# %%
# The misses themselves, the smallest first.

missed = np.flatnonzero((y == 1) & (labels == 0))
missed = missed[masks[missed].sum((1, 2)).argsort()][:12]
names = ["no circle", "navy circle"]
MaskDisplay.from_estimator(classifier, X[missed], y[missed], masks=masks[missed], class_names=names)
plt.show()
