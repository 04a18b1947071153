"""
Masks or labels?
================

A mask costs more than a label. Is it worth it? :func:`~segclf.framing_report` answers this from a
pilot set with both: it trains a segmenter and a classifier on growing parts of the set, compares
them at equal cost, and recommends masks or labels for the other images, or says that the pilot set
is too small.
"""

import matplotlib.pyplot as plt

from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, framing_report
from segclf.datasets import make_shapes
from segclf.displays import FramingDisplay

# %%
# The pilot set: 72 images of colored shapes. An image is positive if it shows a navy circle. Assume
# that a mask takes three minutes to draw, and a label one minute.

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
# The same as curves: the AUROC of each framing over the cost of its labels.

FramingDisplay.from_report(report)
plt.show()
