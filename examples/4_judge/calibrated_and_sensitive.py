"""
Probabilities to believe, and 95 % sensitivity
==============================================

A score orders images, but a probability should equal a frequency. ``calibrate="sigmoid"`` learns
this from masks of images that the segmenter did not see. Screening then needs a certain
sensitivity: which threshold reaches 95 %, and at which specificity?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import recall_score, roc_curve
from sklearn.model_selection import FixedThresholdClassifier

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.metrics import expected_calibration_error, operating_point

scene = {"image_size": 48, "n_objects": 10, "target_radius": (2, 4), "spurious_color": "blue"}
shapes = make_shapes(560, **scene, random_state=0)
noise = np.random.default_rng(0).normal(0, 55, shapes.images.shape)
X = np.clip(shapes.images + noise, 0, 255).astype(np.uint8)
y, masks = shapes.target, shapes.masks
train, held_out, test = slice(0, 80), slice(80, 260), slice(260, 560)

# %%
# The same classifier with and without calibration. Two folds keep this example fast.

segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=14, learning_rate=1e-2, schedule="one_cycle"
)
raw = SegmentationClassifier(segmenter, summarizer="threshold", random_state=0)
believed = SegmentationClassifier(
    segmenter, summarizer="threshold", calibrate="sigmoid", cv=2, random_state=0
)
models = {"uncalibrated": raw, "calibrated": believed}
for model in models.values():
    model.fit(X[train], y[train], masks=masks[train])

# %%
# The threshold is chosen on held-out images and evaluated on others.

held_out_score = believed.predict_proba(X[held_out])[:, 1]
point = operating_point(y[held_out], held_out_score, at_sensitivity=0.95)
screening = FixedThresholdClassifier(
    FrozenEstimator(believed), threshold=point.threshold, response_method="predict_proba"
).fit(X[held_out], y[held_out])
called = screening.predict(X[test])
sensitivity = recall_score(y[test], called)
specificity = recall_score(y[test], called, pos_label=0)
print(f"goal .95; on new images {sensitivity:.2f}, specificity {specificity:.2f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for (name, model), color in zip(models.items(), ["#fe6100", "#648fff"], strict=True):
    score = model.predict_proba(X[test])[:, 1]
    error = expected_calibration_error(y[test], score)
    true, said = calibration_curve(y[test], score, n_bins=6, strategy="quantile")
    left.plot(said, true, "o-", color=color, label=f"{name}, error {error:.2f}")
left.plot([0, 1], [0, 1], ":", color="0.5")
left.set(xlabel="predicted probability", ylabel="share of positives")
left.legend(frameon=False)

false, true, _ = roc_curve(y[test], believed.predict_proba(X[test])[:, 1])
right.plot(false, true, color="#648fff")
right.axhline(0.95, linestyle=":", color="0.5")
right.plot(1 - specificity, sensitivity, "o", color="#dc267f", markersize=11)
right.annotate(
    f"the threshold {point.threshold:.2f}",
    (1 - specificity, sensitivity),
    xytext=(20, -50),
    textcoords="offset points",
    arrowprops={"arrowstyle": "-", "color": "0.4"},
)
right.set(xlabel="1 - specificity", ylabel="sensitivity")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
