"""Settings of each method, the same for ours, the plain loop and the untrained network."""

from dataclasses import replace
from typing import Any

from benchmarks.learning.networks import CNN, VIT
from segclf import (
    BYOLPretrainer,
    CASSPretrainer,
    DINOPretrainer,
    MAEPretrainer,
    MoCoPretrainer,
    OtsuPretrainer,
    SimMIMPretrainer,
    SimSiamPretrainer,
)
from segclf.base import Pretrainer

CLASSES: dict[str, type[Pretrainer]] = {
    "SimSiam": SimSiamPretrainer,
    "BYOL": BYOLPretrainer,
    "MoCo": MoCoPretrainer,
    "DINO": DINOPretrainer,
    "CASS": CASSPretrainer,
    "MAE": MAEPretrainer,
    "SimMIM": SimMIMPretrainer,
    "Otsu": OtsuPretrainer,
}
ADAMW = {"optimizer": "adamw", "weight_decay": 0.05, "schedule": "warm_up_cosine"}
SGD = {"optimizer": "sgd", "weight_decay": 1e-4, "schedule": "cosine"}

# Heads that fit a small encoder, momenta and rates for hundreds of steps, and crops that hold more
# than one wave of a texture: 8 % of an image, BYOL's smallest, are 9 x 9 pixels, a wave up to 12.
METHODS: dict[str, dict[str, Any]] = {
    "SimSiam": {
        **SGD,
        "encoder": CNN,
        "learning_rate": 0.1,
        "projection_size": 256,
        "prediction_size": 64,
    },
    "BYOL": {
        **SGD,
        "encoder": CNN,
        "learning_rate": 0.03,
        "crop": (0.4, 1.0),
        "hidden_size": 256,
        "projection_size": 64,
        "momentum": 0.97,
    },
    "MoCo": {
        **SGD,
        "encoder": CNN,
        "learning_rate": 0.03,
        "queue_size": 1024,
        "projection_size": 64,
        "momentum": 0.984,
    },
    "DINO": {
        **SGD,
        "encoder": CNN,
        "learning_rate": 0.03,
        "global_crop": (0.4, 1.0),
        "local_crop": (0.14, 0.4),
        "n_local_crops": 2,
        "local_scale": 0.5,
        "n_prototypes": 256,
        "head_size": 256,
        "bottleneck_size": 64,
        "momentum": 0.97,
        "teacher_temperature": 0.04,
        "final_weight_decay": 1e-4,
    },
    "CASS": {
        "cnn": CNN,
        "transformer": VIT,
        "n_outputs": 64,
        "learning_rate": 1e-3,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "cosine",
    },
    "MAE": {
        **ADAMW,
        "encoder": VIT,
        "learning_rate": 1e-3,
        "decoder_width": 64,
        "decoder_blocks": 2,
        "decoder_heads": 4,
    },
    "SimMIM": {**ADAMW, "encoder": VIT, "learning_rate": 1e-3},
    "Otsu": {
        "encoder": CNN,
        "architecture": "unet",
        "decoder_channels": (64, 32, 16, 16, 8),
        "train": "end_to_end",
        "learning_rate": 1e-3,
        "n_iter_no_change": None,
    },
}

SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"n_images": 1024, "n_labeled": 600, "batch": 64, "steps": 256, "methods": METHODS},
    "long": {"n_images": 4096, "n_labeled": 600, "batch": 64, "steps": 2048, "methods": METHODS},
    "smoke": {"n_images": 64, "n_labeled": 48, "batch": 32, "steps": 2, "methods": METHODS},
}


def make_pretrainer(method: str, setting: dict[str, Any], seed: int, **others: Any) -> Pretrainer:
    """Return an unfitted pretrainer with a number of steps; `others` are further parameters."""
    steps_per_epoch = setting["n_images"] // setting["batch"]
    parameters: dict[str, Any] = {
        "batch_size": setting["batch"],
        "max_epochs": max(1, setting["steps"] // steps_per_epoch),
        "n_threads": 1,
        "random_state": seed,
        **setting["methods"][method],
        **others,
    }
    if crop := parameters.pop("crop", None):
        views = CLASSES[method]()._make_views()
        parameters["augmentation"] = [replace(view, crop=crop) for view in views]
    return CLASSES[method](**parameters)
