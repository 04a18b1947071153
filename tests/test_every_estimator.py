"""Every public estimator, found by itself, keeps what scikit-learn and we ask of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator_cloneable, check_no_attributes_set_in_init

import segclf
from segclf.base import Segmenter
from segclf.datasets import make_shapes
from segclf.testing import check_segmenter, segmenter_checks

ROOT = Path(__file__).resolve().parents[1]
TINY = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2}
N_CHECKS = 63  # of scikit-learn 1.9; fewer mean that a tag of ours silenced one
N_SEGMENTER_CHECKS = 42
SCIKIT_LEARN = ("SegmentationClassifier", "ImageClassifier")


def small(name):
    """The estimator of that name, with settings that train in a moment."""
    kind = getattr(segclf, name)
    parameters = kind().get_params(deep=False)
    settings = {key: value for key, value in TINY.items() if key in parameters}
    if "segmenter" in parameters:
        settings["segmenter"] = segclf.SupervisedSegmenter(**TINY)
    return kind(**settings)


def names_of(kind):
    found = {name: getattr(segclf, name) for name in segclf.__all__}
    return [name for name, thing in found.items() if isinstance(thing, type) and kind(thing)]


ESTIMATORS = names_of(lambda thing: hasattr(thing, "get_params"))
SEGMENTERS = names_of(lambda thing: issubclass(thing, Segmenter))
CLASSIFIERS = names_of(lambda t: getattr(t, "_estimator_type", "") == "classifier" or _decides(t))


def _decides(thing):
    return hasattr(thing, "get_params") and hasattr(thing, "predict") and thing not in (Segmenter,)
