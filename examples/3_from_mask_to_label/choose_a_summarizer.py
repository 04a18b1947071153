"""
Choose a summarizer
===================

A segmenter predicts masks, and a summarizer turns them into a label: by the area of the mask, by
the encoder's features inside it, or by any scikit-learn classifier. ``memory=`` keeps the
segmenter, so six summarizers cost one training.
"""

import tempfile

import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from segclf import SegmentationClassifier, SupervisedSegmenter, load_plugin
from segclf.datasets import make_shapes
from segclf.displays import SummarizerDisplay
from segclf.metrics import confidence_interval

shapes = make_shapes(
    260, image_size=48, n_objects=12, target_radius=(2, 5), spurious_color="blue", random_state=3
)
X, y, masks = shapes.images, shapes.target, shapes.masks
train, test = slice(0, 60), slice(60, 260)
segmenter = SupervisedSegmenter(
    encoder="tiny", max_epochs=12, learning_rate=1e-2, schedule="one_cycle"
)

# %%
# A summarizer is a name, a plugin with other settings, or any scikit-learn classifier.

forest = load_plugin("summarizer", "mask_features")(classifier=RandomForestClassifier())
summarizers = {
    "threshold (the paper's rule)": "threshold",
    "tuned threshold": "tuned_threshold",
    "joint (the default)": "joint",
    "pooled": "pooled",
    "ten features of the mask": "mask_features",
    "the same, random forest": forest,
}
folder, fitted, intervals = tempfile.mkdtemp(), {}, {}
for name, summarizer in summarizers.items():
    model = SegmentationClassifier(segmenter, summarizer=summarizer, memory=folder, random_state=0)
    fitted[name] = model.fit(X[train], y[train], masks=masks[train])
    score = model.predict_proba(X[test])[:, 1]
    intervals[name] = confidence_interval(roc_auc_score, y[test], score, random_state=0)

# %%
# If intervals overlap this much, choose the simplest.

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for row, each in enumerate(reversed(intervals.values())):
    ax.plot([each.low, each.high], [row, row], color="#648fff", linewidth=3)
    ax.plot(each.estimate, row, "o", color="#785ef0", markersize=9)
    ax.text(each.estimate, row + 0.22, f"{each.estimate:.3f}", ha="center")
ax.set_yticks(range(len(intervals)), list(intervals)[::-1])
ax.set(xlabel="AUROC on 200 images, 95 % interval", ylim=(-0.5, len(intervals) - 0.3))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The paper's rule uses the area of each predicted mask.

SummarizerDisplay.from_estimator(fitted["threshold (the paper's rule)"], X[test], y[test])
plt.show()
