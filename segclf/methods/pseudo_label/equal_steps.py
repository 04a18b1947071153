"""Equal training for few and for many masks, so that a comparison depends only on the masks."""

from dataclasses import replace
from typing import Any

import numpy as np

from segclf.base import Automatic, Supervision
from segclf.base.automatic import RULES, steps_of_epochs
from segclf.base.facts import Facts
from segclf.base.network_holder import is_auto


def fix_training(estimator: Any, supervision: Supervision) -> None:
    """Set the image size and the number of steps as if every image had a label.

    Otherwise they depend on the number and choice of masks. Estimators without parameters set by
    the data stay unchanged.

    Parameters
    ----------
    estimator : segmenter
        Estimator whose parameters are set.
    supervision : Supervision
        Supervision of all images, opened.
    """
    if not isinstance(estimator, Automatic):
        return
    values = estimator.get_params(deep=False)
    shape = (len(supervision), supervision.masks.n_classes)
    labels = np.zeros(shape if supervision.masks.multilabel else shape[:1], dtype=np.int64)
    facts = Facts(replace(supervision, labels=labels))
    for name in ("image_size", "max_steps"):
        if is_auto(values[name]):
            values[name] = RULES[name](values, facts)
    if values["max_steps"] is None:
        max_epochs = values["max_epochs"]
        max_epochs = RULES["max_epochs"](values, facts) if is_auto(max_epochs) else max_epochs
        batch_size = values["batch_size"]
        batch_size = RULES["batch_size"](values, facts) if is_auto(batch_size) else batch_size
        values["max_steps"] = steps_of_epochs(max_epochs, batch_size, len(supervision))
    estimator.set_params(image_size=values["image_size"], max_steps=values["max_steps"])
