"""The settings of ``benchmarks.semi_supervised``: networks, budgets, what methods get."""

from typing import Any

from benchmarks.semi_supervised.mini_swin import MINI_SWIN

# The same for all segmenters; the classifier does better with the second (val of lgg_mri and busi).
TRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 1e-2,
    "schedule": "cosine",
    "augmentation": "light",
    "precision": "fp32",
}
CLASSIFICATION: dict[str, Any] = {"learning_rate": 1e-3, "schedule": "one_cycle"}
CHEXSEG_PROBABILITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.85, 0.9, 1.0)  # Table 1 of the MIDL version

# The background of these maps is not as dark as IRNet's; steps as in CheXseg's code.
SMALL_WALK: dict[str, Any] = {
    "scales": (1.0,),
    "foreground_threshold": 0.5,
    "background_threshold": 0.2,
    "radius": 3,
    "beta": 5.0,
    "n_steps": 8,
}
WALK_THRESHOLDS = (0.3, 0.5, 0.7, 0.9)  # the one that fits the given masks best is taken

# cap: training images at most; steps: of each training; classifier_size: what classifiers see.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "size": 64,
        "cap": 400,
        "steps": 130,
        "batch": 8,
        "encoder": "mobilenet_v2",
        "decoder": (64, 32, 16, 16, 8),
        "transformer": MINI_SWIN,
        "classifier_size": 128,
        "layer": "encoder.features.13",
        "n_clusters": 8,
        "n_threads": 1,
        "boundaries": {"radius": 5, "max_epochs": 4},
        "walk": SMALL_WALK,
        "test_cap": None,
    },
    "large": {
        "size": 224,
        "cap": 100_000,
        "steps": 4000,
        "batch": 16,
        "encoder": "resnet34",
        "decoder": (256, 128, 64, 32, 16),
        "transformer": "swin_tiny_patch4_window7_224",
        "classifier_size": 320,
        "layer": None,
        "n_clusters": 27,
        "n_threads": None,
        "boundaries": {"max_epochs": 10},
        "walk": {},
        "test_cap": None,
    },
}
SETTINGS["smoke"] = {
    **SETTINGS["small"],
    "cap": 40,
    "steps": 1,
    "classifier_size": 64,
    "boundaries": {"radius": 2, "max_epochs": 1},
    "test_cap": 16,
}


def schedule(
    setting: dict[str, Any], *, n_places: int, seed: int, passes: int = 1
) -> dict[str, Any]:
    """Return the parameters of a training of so many steps, in epochs of so many images.

    `passes` multiplies the steps.
    """
    steps = passes * setting["steps"]
    return {
        **TRAINING,
        "batch_size": setting["batch"],
        "max_epochs": max(1, round(steps / -(-n_places // setting["batch"]))),
        "n_threads": setting["n_threads"],
        "random_state": seed,
    }
