"""
A folder of files
=================

Images need not be loaded: pass paths to :class:`~segclf.SegmentationClassifier`, which decodes
files in batches when they are needed. Here the folder has pieces of the Hubble eXtreme Deep Field
(NASA, public domain; scikit-image's `hubble_deep_field`). A piece is positive if it shows a large
galaxy, and a threshold gives the mask of that galaxy.
"""

import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data
from sklearn.metrics import roc_auc_score

import segclf
from segclf import SegmentationClassifier
from segclf.displays import MaskDisplay

# %%
# Write a folder
# --------------
#
# You have your own: images, a table of labels, and masks as gray PNG files, 0 for background.

folder = Path(tempfile.mkdtemp())
(folder / "images").mkdir()
(folder / "masks").mkdir()

sky = data.hubble_deep_field()
bright = ndimage.gaussian_filter(sky.max(axis=2).astype(float), 1) > 60
regions, n_regions = ndimage.label(bright)
areas = ndimage.sum_labels(bright, regions, np.arange(n_regions + 1))
galaxies = (areas >= 80)[regions]

size, rows = 64, []
for top in range(0, sky.shape[0] - size, size // 2):
    for left in range(0, sky.shape[1] - size, size // 2):
        name = f"{top:03}_{left:03}.png"
        here = np.s_[top : top + size, left : left + size]
        mask = galaxies[here] if galaxies[here].sum() >= 40 else np.zeros((size, size))
        Image.fromarray(sky[here]).save(folder / "images" / name)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / name)
        rows.append([name, int(mask.any()), left])

with (folder / "labels.csv").open("w", newline="") as file:
    csv.writer(file).writerows([["image", "label", "left"], *rows])

# %%
# From the folder to a fitted classifier
# --------------------------------------
#
# Pieces overlap, so the left of the sky is for training and the right for testing. Only 40 of
# the training images have a mask; the entry of the others is ``None``.

with (folder / "labels.csv").open() as file:
    table = list(csv.DictReader(file))
X = [folder / "images" / row["image"] for row in table]
y = np.array([int(row["label"]) for row in table])
left = np.array([int(row["left"]) for row in table])
random = np.random.default_rng(0)
train = random.permutation(np.flatnonzero(left < 500))[:160]
test = random.permutation(np.flatnonzero(left >= 576))

masks = [folder / "masks" / X[i].name if k < 40 else None for k, i in enumerate(train)]
classifier = SegmentationClassifier(random_state=0)
classifier.fit([X[i] for i in train], y[train], masks=masks)

X_test = [X[i] for i in test]
score = classifier.predict_proba(X_test)[:, 1]
print(f"{len(train)} labels, 40 masks: AUROC {roc_auc_score(y[test], score):.3f} on {len(test)}")

# %%
# Look, and keep it
# -----------------

names = ["small or none", "galaxy"]
true = [folder / "masks" / path.name for path in X_test[:12]]
MaskDisplay.from_estimator(classifier, X_test[:12], y[test[:12]], masks=true, class_names=names)
plt.show()

# %%
# One file stores the model, without pickle, and one HTML file shows its predictions for each image.

segclf.save(classifier, folder / "galaxies.safetensors")
again = segclf.load(folder / "galaxies.safetensors")
assert (again.predict_proba(X_test[:4])[:, 1] == score[:4]).all()

masks_test = [folder / "masks" / path.name for path in X_test]
page = segclf.report(
    again,
    X_test,
    y[test],
    masks_test,
    folder / "report.html",
    title="Galaxies in the Hubble eXtreme Deep Field",
    class_names=names,
    n_resamples=100,
)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")
