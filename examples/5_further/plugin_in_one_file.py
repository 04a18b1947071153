"""
Write a plugin in one file
==========================

A thresholder is any object that turns a gray image into a mask. This one compares each pixel with
its surroundings, so the shadow on the left of a photograph does not matter. The object can be used
instead of a name, and a distribution with a hook makes it available by name.

The photograph is scikit-image's `coins` (no known copyright restrictions).
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from skimage import data

from segclf import OtsuPretrainer, load_plugin
from segclf.base import Estimator

# %%
# The whole plugin
# ----------------
#
# An `Estimator`'s annotated fields are its parameters, so that `get_params`, `clone` and searches
# work.


class LocalContrastThresholder(Estimator):
    """Pixels that are brighter than their surroundings, without holes and specks.

    Parameters
    ----------
    scale : float
        Size of the surroundings in pixels.
    offset : float
        By how many standard deviations a pixel must be brighter.
    """

    scale: float = 60.0
    offset: float = 0.1

    def __call__(self, image):
        """Return the mask (h, w) of a gray image (h, w)."""
        gray = np.asarray(image, dtype=float)
        difference = gray - ndimage.gaussian_filter(gray, self.scale)
        mask = ndimage.gaussian_filter(difference, 1) > self.offset * difference.std()
        return ndimage.binary_opening(ndimage.binary_fill_holes(mask), iterations=2)


# %%
# In your own distribution, two more parts make it a plugin: a hook, and an entry in
# pyproject.toml that names the module of the hook.
#
# .. code-block:: python
#
#     @segclf.hookimpl
#     def segclf_thresholders():
#         return {"local_contrast": "my_package:LocalContrastThresholder"}
#
# .. code-block:: toml
#
#     [project.entry-points.segclf]
#     my_package = "my_package"
#
# Without them, pass the object itself instead of a name.

OtsuPretrainer(thresholder=LocalContrastThresholder(scale=30.0))

# %%
# Compared with those of segclf
# -----------------------------

photo = data.coins()
masks = {
    "photograph": None,
    "otsu": load_plugin("thresholder", "otsu")()(photo),
    "ght": load_plugin("thresholder", "ght")()(photo),
    "local_contrast": LocalContrastThresholder()(photo),
}
figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
for ax, (name, mask) in zip(axes.flat, masks.items(), strict=True):
    ax.imshow(photo, cmap="gray")
    if mask is not None:
        ax.imshow(np.ma.masked_equal(mask, 0), cmap="cool_r", vmin=0, vmax=1, alpha=0.6)
    ax.set_title(name)
    ax.set_axis_off()
plt.show()
