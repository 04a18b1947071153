"""
Go on after an interruption
===========================

With ``checkpoint=`` a fit saves its progress. Run the same script again after a crash, a
Ctrl-C or the end of a time limit, and it resumes from there. It ends with the same bits as a fit
that was never interrupted.
"""

import tempfile

import matplotlib.pyplot as plt

from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes

shapes = make_shapes(60, image_size=48, n_objects=8, target_radius=5, random_state=0)
X, masks = shapes.images, shapes.masks
folder = tempfile.mkdtemp()
segmenter = SupervisedSegmenter(
    encoder="tiny",
    max_epochs=24,
    learning_rate=1e-2,
    schedule="one_cycle",
    checkpoint=folder,
    checkpoint_every=1,
    random_state=0,
)

# %%
# A time limit of three seconds simulates the interruption.

segmenter.set_params(max_seconds=3.0).fit(X, masks)
before = list(segmenter.history_["loss"])
print(f"stopped in epoch {segmenter.n_iter_} of 24 ({segmenter.termination_condition_})")

# %%
# The same call, without the limit, finds the checkpoint and trains the missing epochs.

segmenter.set_params(max_seconds=None).fit(X, masks)
after = list(segmenter.history_["loss"])
print(f"ended after epoch {segmenter.n_iter_}")

# %%
# A third fit, without interruption and checkpoints, predicts the same.

never = SupervisedSegmenter(**segmenter.get_params()).set_params(checkpoint=None).fit(X, masks)
assert (never.predict_proba(X) == segmenter.predict_proba(X)).all()

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
epochs = range(1, len(after) + 1)
ax.plot(epochs, never.history_["loss"], color="0.8", linewidth=8, label="never interrupted")
ax.plot(epochs[: len(before)], before, color="#d95f02", linewidth=2.5, label="until the limit")
resumed = len(before) - 1
ax.plot(epochs[resumed:], after[resumed:], color="#1b9e77", linewidth=2.5, label="the next call")
ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
