"""Every public estimator with a network, found by itself, and one way to fit and to ask each."""

import numpy as np
from sklearn.base import is_classifier

import segclf
from segclf.base import ImageTransformer
from segclf.base.spatial import n_spatial
from segclf.datasets import make_shapes
from segclf.testing.samples import answer
from segclf.testing.small import small_estimator

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
# Some images without a mask, since several methods learn from those too.
MASKS = [None if index % 4 == 3 else mask for index, mask in enumerate(SHAPES.masks)]
PUBLIC = [getattr(segclf, name) for name in segclf.__all__]
ESTIMATORS = [t for t in PUBLIC if isinstance(t, type) and hasattr(t, "get_params")]
# Those of volumes are asked in their own tests.
METHODS = [kind for kind in ESTIMATORS if n_spatial(kind()) == 2]
TRAINED = [kind for kind in METHODS if "max_epochs" in kind().get_params()]


def by_name(thing):
    return thing.__name__


def fitted(kind, max_epochs=2, **parameters):
    """Return a small estimator of that class, fitted."""
    estimator = small_estimator(kind, max_epochs).set_params(random_state=0, **parameters)
    if issubclass(kind, ImageTransformer):
        return estimator.fit(SHAPES.images)
    if is_classifier(estimator):
        return estimator.fit(SHAPES.images, SHAPES.target, masks=MASKS)
    return estimator.fit(SHAPES.images, MASKS)


def outputs(estimator, images=SHAPES.images):
    """Return what it says of the images."""
    return np.asarray(answer(estimator, images))
