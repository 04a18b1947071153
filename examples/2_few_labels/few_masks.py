"""
Few masks, many labels
======================

Twelve images have a mask, a hundred have a label. A segmenter learns from the masks, and from the
empty masks that negative labels give at no cost. With
:class:`~segclf.PseudoLabelSemiSupervised`, a teacher also predicts masks for the other images,
their labels correct these masks, and a new segmenter learns from all.

The images are pieces of a colonic gland, stained brown where a protein is expressed
(scikit-image's `immunohistochemistry`, no known copyright restrictions). A piece is positive if
much of it is brown.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from skimage import color, data
from sklearn.metrics import roc_auc_score

from segclf import ImageClassifier, PseudoLabelSemiSupervised, SegmentationClassifier
from segclf.displays import ComparisonDisplay

# %%
# The true mask is where the brown stain is dense.

tissue = data.immunohistochemistry()
brown = ndimage.gaussian_filter(color.rgb2hed(tissue)[..., 2], 1.5) > 0.11
size, tiles, masks, rows = 64, [], [], []
for top in range(0, 512 - size + 1, 28):
    for left in range(0, 512 - size + 1, 28):
        here = np.s_[top : top + size, left : left + size]
        dense = brown[here] if brown[here].mean() > 0.08 else np.zeros((size, size), bool)
        tiles.append(tissue[here])
        masks.append(dense.astype(np.uint8))
        rows.append(top)
X, masks, rows = np.stack(tiles), np.stack(masks), np.array(rows)
y = masks.any((1, 2)).astype(int)

# %%
# Pieces overlap, so the upper part of the picture is for training and the lower part for testing.

random = np.random.default_rng(0)
train = random.permutation(np.flatnonzero(rows < 250))[:100]
test = random.permutation(np.flatnonzero(rows >= 308))
given = [masks[i] if k < 12 else None for k, i in enumerate(train)]

alone = SegmentationClassifier(random_state=0).fit(X[train[:12]], y[train[:12]], masks=given[:12])
with_labels = SegmentationClassifier(random_state=0).fit(X[train], y[train], masks=given)
pseudo = SegmentationClassifier(
    segmenter=PseudoLabelSemiSupervised(labeler="boosted", baseline=False), random_state=0
).fit(X[train], y[train], masks=given)
straight = ImageClassifier(random_state=0).fit(X[train], y[train])

models = {
    "12 masks alone": alone,
    "12 masks, 100 labels": with_labels,
    "and pseudo-labels": pseudo,
    "100 labels alone": straight,
}
for name, model in models.items():
    print(f"{name:<22} AUROC {roc_auc_score(y[test], model.predict_proba(X[test])[:, 1]):.3f}")

# %%
# Predictions of each model for the same pieces. The image classifier predicts no masks.

shown = np.concatenate([test[y[test] == 1][:4], test[y[test] == 0][:2]])
ComparisonDisplay.from_estimators(
    models, X[shown], y[shown], masks=masks[shown], class_names=["little", "much"]
)
plt.show()
