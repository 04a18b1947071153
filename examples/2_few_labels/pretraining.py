"""
Pretraining on images alone
===========================

A threshold gives every image a rough mask at no cost. :class:`~segclf.OtsuPretrainer`
(MedSASS) trains a whole segmenter on such masks. A segmenter that starts from its weights needs few
real masks.

The images are pieces of coins from Pompeii (scikit-image's `coins`, no known copyright
restrictions). The threshold finds their bright parts; the task is the whole coin.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from skimage import data, filters, morphology, segmentation
from sklearn.frozen import FrozenEstimator

from segclf import OtsuPretrainer, SupervisedSegmenter
from segclf.metrics import mean_iou

# %%
# True masks: an edge filter and a watershed segment the coins better than a threshold.

photo = data.coins()
markers = np.where(photo < 30, 1, np.where(photo > 150, 2, 0))
coins = ndimage.binary_fill_holes(segmentation.watershed(filters.sobel(photo), markers) == 2)
coins = morphology.remove_small_objects(coins, max_size=200)

size = 64
corners = [(t, c) for t in range(0, 303 - size, 12) for c in range(0, 384 - size, 12)]
pieces = np.stack([photo[t : t + size, c : c + size] for t, c in corners])
masks = np.stack([coins[t : t + size, c : c + size] for t, c in corners]).astype(np.uint8)
right = np.array([c >= 224 for _, c in corners])
between = np.array([160 < c < 224 for _, c in corners])
random = np.random.default_rng(0)
unlabeled = random.permutation(np.flatnonzero(~right & ~between))
labeled, test = unlabeled[:5], np.flatnonzero(right)

# %%
# Pretrain on all pieces of the left side, then fine-tune on five masks.

network = {"encoder": "tiny", "random_state": 0}
steps = {"max_epochs": 30, "learning_rate": 5e-3, "schedule": "one_cycle", "batch_size": 5}
pretrainer = OtsuPretrainer(train="end_to_end", max_epochs=4, learning_rate=1e-2, **network)
pretrainer.fit(pieces[unlabeled])

scratch = SupervisedSegmenter(**network, **steps).fit(pieces[labeled], masks[labeled])
tuned = SupervisedSegmenter(
    pretrainer=FrozenEstimator(pretrainer), decoder_attention="scse", **network, **steps
)
tuned.fit(pieces[labeled], masks[labeled])

predicted = {
    "pretrained, no mask": pretrainer.predict(pieces[test]),
    "5 masks": scratch.predict(pieces[test]),
    "pretrained, 5 masks": tuned.predict(pieces[test]),
}
for name, found in predicted.items():
    print(f"{name:<20} IoU {mean_iou(masks[test], found):.2f}")

# %%
shown = random.choice(len(test), 6, replace=False)
figure, axes = plt.subplots(4, 6, figsize=(10, 7.2), layout="constrained")
rows = {"image and true mask": masks[test], **predicted}
colors = ["#ffb000", "#dc267f", "#dc267f", "#dc267f"]
for row, (name, found), line in zip(axes, rows.items(), colors, strict=True):
    row[0].set_ylabel(name)
    for ax, i in zip(row, shown, strict=True):
        ax.imshow(pieces[test][i], cmap="gray")
        ax.contour(found[i], levels=[0.5], colors=[line])
        ax.set(xticks=[], yticks=[])
plt.show()
