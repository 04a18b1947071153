"""
Two networks that teach each other
==================================

:class:`~segclf.CrossTeachingSegmenter` (Luo et al., MIDL 2022; used by S4MI) trains a
convolutional network and a transformer. Both learn from the masks, and on images without a mask
each learns from the other's predictions. They make different errors, so where they disagree at
least one of them learns something.
"""

import matplotlib.pyplot as plt
import numpy as np

from segclf import CrossTeachingSegmenter
from segclf.datasets import make_shapes
from segclf.metrics import mean_iou

shapes = make_shapes(76, image_size=48, n_objects=8, target_radius=6, random_state=0)
X, masks = shapes.images[:48], [*shapes.masks[:10], *[None] * 38]
X_test, y_test, masks_test = shapes.images[48:], shapes.target[48:], shapes.masks[48:]

# %%
# Small networks, so that this page is built quickly.

mutual = CrossTeachingSegmenter(
    cnn="tiny",
    transformer="tiny_vit",
    transformer_architecture="vit_unet",
    max_epochs=20,
    learning_rate=3e-3,
    schedule="one_cycle",
    optimizer="adamw",
    random_state=0,
).fit(X, masks)

# %%
# Either of them can predict; ``predict_with`` can be set after `fit`.

said = {
    name: mutual.set_params(predict_with=name).predict(X_test) for name in ("cnn", "transformer")
}
for name, found in said.items():
    print(f"{name:<12} IoU {mean_iou(masks_test, found):.2f}")
differ = said["cnn"] != said["transformer"]
print(f"they disagree on {differ.mean():.1%} of the pixels")

# %%
# Where they disagree: orange is predicted only by the convolutional network, blue only by the
# transformer, and purple by both.

shown = np.flatnonzero(y_test == 1)[:10]
figure, axes = plt.subplots(2, 5, figsize=(10, 4.2), layout="constrained")
for ax, i in zip(axes.flat, shown, strict=True):
    ax.imshow(X_test[i])
    which = said["cnn"][i] + 2 * said["transformer"][i]
    colors = np.array([[0, 0, 0, 0], [1, 0.5, 0, 0.85], [0, 0.6, 1, 0.85], [0.8, 0, 0.7, 0.85]])
    ax.imshow(colors[which])
    ax.contour(masks_test[i], levels=[0.5], colors="white", linestyles="dashed", linewidths=1)
    ax.set(xticks=[], yticks=[])
plt.show()
