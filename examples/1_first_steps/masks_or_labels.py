"""
Masks or labels?
================

A mask costs more than a label. Is it worth it? :func:`~segclf.framing_report` asks a pilot set
that has both: it trains a segmenter and a classifier on growing parts of the set, compares them at
equal cost, and says which to buy for the other images, or that the pilot is too small to tell.
"""

import matplotlib.pyplot as plt

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, framing_report
from segclf.datasets import make_shapes
from segclf.displays import FramingDisplay

# %%
# The pilot: 72 images of colored shapes. An image is positive if a navy circle is among them. Say
# that a mask takes three minutes to draw and a label one.

pilot = make_shapes(72, image_size=48, n_objects=8, target_radius=5, random_state=0)
small = {
    "encoder": "tiny",
    "max_epochs": 12,
    "learning_rate": 1e-2,
    "schedule": "one_cycle",
    "random_state": 0,
}

report = framing_report(
    pilot.images,
    pilot.target,
    pilot.masks,
    cost_per_mask=3.0,
    cost_per_label=1.0,
    segmentation=SegmentationClassifier(segmenter=SupervisedSegmenter(**small)),
    classification=ImageClassifier(**small),
    train_sizes=[0.25, 0.5, 1.0],
    cv=3,
    random_state=0,
)
print(report)

# %%
# The same as curves: the AUROC of each framing over the number of labeled images.

FramingDisplay.from_report(report)
plt.show()
