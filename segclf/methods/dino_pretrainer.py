"""DINO: let small crops of an image say what a slow teacher says of large ones.

Student and teacher sort each view of an image among thousands of prototypes. The student is to
agree with the teacher on other views; the teacher follows the student slowly. Subtracting the
teacher's mean (centering) keeps one prototype from winning always, a low temperature (sharpening)
keeps all from being equal. Caron et al., "Emerging properties in self-supervised vision
transformers", ICCV 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn import functional

from segclf.base import Pretrainer
from segclf.data import Augmentation, Samples, views
from segclf.networks import (
    DINOHead,
    ImageNetwork,
    classification_network,
    follow,
    momentum_copy,
    rising_momentum,
)
from segclf.objectives import Batch, JointEmbedding, Objective, Progress
from segclf.training.schedules import cosine, warm_up

N_GLOBAL = 2
