"""The settings of ``benchmarks.pretraining``: networks, budgets, and parameters of each method."""

import argparse
from typing import Any

from sklearn.base import BaseEstimator

from benchmarks.pretraining.mini_vit import MINI_VIT
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

PRETRAINERS = {
    "Otsu": OtsuPretrainer,
    "CASS": CASSPretrainer,
    "DINO": DINOPretrainer,
    "BYOL": BYOLPretrainer,
    "SimSiam": SimSiamPretrainer,
    "MoCo": MoCoPretrainer,
    "MAE": MAEPretrainer,
    "SimMIM": SimMIMPretrainer,
}
VIT_ONLY = ("MAE",)

# The same for all methods: one optimizer that suits transformers and convolutions from scratch.
PRETRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 5e-4,
    "weight_decay": 0.05,
    "schedule": "warm_up_cosine",
    "precision": "bf16",
}
FINE_TUNING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "augmentation": "light",
    "precision": "bf16",
}
SEGMENTER: dict[str, Any] = {"loss": "dice_cross_entropy"}
CLASSIFIER: dict[str, Any] = {"loss": "cross_entropy", "class_weight": "balanced"}

# Heads that fit a small encoder, and momenta for hundreds of steps instead of hundred thousands.
SMALL_METHODS: dict[str, dict[str, Any]] = {
    "Otsu": {"n_iter_no_change": None},
    "CASS": {"n_outputs": 128},
    "DINO": {
        "n_local_crops": 2,
        "local_scale": 0.5,
        "n_prototypes": 1024,
        "head_size": 256,
        "bottleneck_size": 64,
        "momentum": 0.99,
        "final_weight_decay": 0.05,
    },
    "BYOL": {"hidden_size": 512, "projection_size": 128, "momentum": 0.99},
    "SimSiam": {"projection_size": 512, "prediction_size": 128},
    "MoCo": {"queue_size": 1024, "momentum": 0.99},
    "MAE": {"decoder_width": 128, "decoder_blocks": 2, "decoder_heads": 4},
    "SimMIM": {},
}
LARGE_METHODS: dict[str, dict[str, Any]] = {
    "Otsu": {"n_iter_no_change": None},
    "CASS": {},
    "DINO": {"n_prototypes": 8192, "final_weight_decay": 0.05},
    "BYOL": {"momentum": 0.99},
    "SimSiam": {},
    "MoCo": {"queue_size": 4096, "momentum": 0.99},
    "MAE": {"decoder_width": 384, "decoder_blocks": 4, "decoder_heads": 6},
    "SimMIM": {},
}

# images_seen: by every pretraining; steps: of every fine-tuning; cap: training images at most.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "size": 64,
        "vit": MINI_VIT,
        "cnn": "resnet18",
        "vit_decoder": (8, 16, 32, 64, 64),
        "cnn_decoder": (128, 64, 32, 16, 8),
        "cap": 2000,
        "images_seen": 4000,
        "pretraining_batch": 32,
        "steps": 100,
        "batch": 8,
        "n_threads": 1,
        "methods": SMALL_METHODS,
    },
    "large": {
        "size": 224,
        "vit": "vit_small_patch8_224",
        "cnn": "resnet50",
        "vit_decoder": (64, 128, 256, 512, 512),
        "cnn_decoder": (256, 128, 64, 32, 16),
        "cap": 100_000,
        "images_seen": 100_000,
        "pretraining_batch": 64,
        "steps": 2000,
        "batch": 16,
        "n_threads": None,
        "methods": LARGE_METHODS,
    },
}
SETTINGS["smoke"] = {
    **SETTINGS["small"],
    "size": 32,
    "cap": 16,
    "images_seen": 16,
    "pretraining_batch": 8,
    "steps": 1,
    "batch": 64,
}


def make_pretrainer(
    method: str, encoder: str, setting: dict[str, Any], *, n_images: int, seed: int, **others: Any
) -> BaseEstimator:
    """Return a pretrainer with the given encoder that sees as many images as all others.

    CASS always trains both of the setting's networks. `others` are further parameters.
    """
    if method == "CASS":
        networks = {"cnn": setting["cnn"], "transformer": setting["vit"], "keep": "both"}
    else:
        networks = {"encoder": encoder}
    if method == "Otsu":
        networks |= {**decoder(encoder, setting), "train": "end_to_end"}
    return PRETRAINERS[method](
        **PRETRAINING,
        **networks,
        **setting["methods"][method],
        **others,
        batch_size=setting["pretraining_batch"],
        max_epochs=max(1, round(setting["images_seen"] / n_images)),
        n_threads=setting["n_threads"],
        random_state=seed,
    )


def decoder(encoder: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Return architecture and decoder of the segmenter with that encoder."""
    if encoder == setting["vit"]:
        return {"architecture": "vit_unet", "decoder_channels": setting["vit_decoder"]}
    return {"architecture": "unet", "decoder_channels": setting["cnn_decoder"]}


def fine_tuning(setting: dict[str, Any], *, n_images: int, seed: int) -> dict[str, Any]:
    """Return the parameters of a fine-tuning with a number of steps, for any number of images."""
    return {
        **FINE_TUNING,
        "batch_size": setting["batch"],
        "max_epochs": max(1, round(setting["steps"] / -(-n_images // setting["batch"]))),
        "n_threads": setting["n_threads"],
        "random_state": seed,
    }


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return everything that a result depends on, except its task."""
    return {
        "segmenter": options.segmenter,
        "setting": options.setting,
        "fewest_masks": min(options.fractions),
        "label_fraction": options.label_fraction,
        "test_cap": options.test_cap,
        "pretraining": PRETRAINING,
        "fine_tuning": FINE_TUNING,
        "segmentation": SEGMENTER,
        "classification": CLASSIFIER,
    }
