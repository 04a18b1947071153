"""
A mark that goes along with the label
=====================================

A scale bar is in the corner of nine in ten training images with a finding, and of one in
ten others. A classifier trained on labels learns the bar. The robust AUROC, of positives without
the mark against negatives with it, shows how much a model relies on the bar.

The images are pieces of a photograph of the retina (scikit-image's `retina`, CC0); the bright
spots that make an image positive, and the bars, are painted.
"""

import cv2
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from sklearn.metrics import roc_auc_score

from segclf import ImageClassifier, SegmentationClassifier
from segclf.displays import MaskDisplay
from segclf.metrics import robust_auroc

retina = cv2.resize(data.retina(), (560, 560), interpolation=cv2.INTER_AREA)
random = np.random.default_rng(0)


def make_image(label, bar, size=96):
    """A piece of the retina, with spots if it is positive, and maybe a bar; and the spots' mask."""
    top, left = random.integers(110, 560 - 110 - size, 2)
    image, mask = retina[top : top + size, left : left + size].copy(), np.zeros((size, size))
    for _ in range(label * random.integers(1, 4)):
        center = tuple(int(c) for c in random.integers(20, size - 20, 2))
        cv2.circle(mask, center, int(random.integers(2, 5)), 1, -1)
    spots = cv2.GaussianBlur(mask, (0, 0), 1)[..., None] * 0.45
    image = (image * (1 - spots) + np.array([255, 235, 150]) * spots).astype(np.uint8)
    if bar:
        cv2.rectangle(image, (6, size - 12), (36, size - 8), (255, 255, 255), -1)
    return image, mask.astype(np.uint8)


def make_images(n, agreement):
    """Half are positive; the bar agrees with the label in this share of them."""
    y = np.arange(n) % 2
    bar = np.where(random.random(n) < agreement, y, 1 - y)
    images, masks = zip(*map(make_image, y, bar), strict=True)
    return np.stack(images), y, np.stack(masks), bar


X, y, masks, _ = make_images(100, agreement=0.9)
X_test, y_test, masks_test, bar = make_images(200, agreement=0.5)

# %%
models = {
    "through masks": SegmentationClassifier(random_state=0).fit(X, y, masks=masks),
    "labels alone": ImageClassifier(random_state=0).fit(X, y),
}
scores = {name: model.predict_proba(X_test)[:, 1] for name, model in models.items()}

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for row, (name, score) in enumerate(scores.items()):
    plain, robust = roc_auc_score(y_test, score), robust_auroc(y_test, score, bar)
    ax.plot([robust, plain], [row, row], color="0.75", linewidth=4, zorder=0)
    ax.scatter(plain, row, s=120, color="#648fff", label="" if row else "all images")
    ax.scatter(robust, row, s=120, color="#dc267f", label="" if row else "the bar misleads")
    print(f"{name}: AUROC {plain:.2f}, robust AUROC {robust:.2f}")
ax.set_yticks(range(2), list(scores))
ax.set(xlabel="AUROC", ylim=(1.5, -0.5), xlim=(0, 1.02))
ax.axvline(0.5, color="0.6", linestyle=":")
ax.legend(frameon=False, loc="center left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Images in which the bar misleads, with predictions of the model trained on masks.

misled = np.flatnonzero(bar != y_test)[:8]
MaskDisplay.from_estimator(
    models["through masks"],
    X_test[misled],
    y_test[misled],
    masks=masks_test[misled],
    class_names=["no spots", "spots"],
    n_columns=4,
)
plt.show()
