"""The settings of ``benchmarks.semi_supervised``: sizes, budgets, what methods get."""

from typing import Any

FRACTIONS = (0.05, 0.1, 0.25, 0.5)
CHEXSEG_PROBABILITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)  # of Table 1 of the MIDL version
TEMPERATURES = (1.0, 2.0, 4.0, 10.0)  # CheXseg's is 10
DILATED_IOUS = (0.15, 0.3, 0.45, 0.6, 0.8)
ENSEMBLE_SEEDS = (100, 200, 300, 400)  # added to the seed

# What "auto" is on a frozen encoder, for methods that have no "auto".
FROZEN: dict[str, Any] = {
    "encoder": "tf_efficientnet_lite0",
    "encoder_weights": "imagenet",
    "encoder_rate": 0,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
}
# Each step of what also learns from images without a mask has as many with one as other methods.
TWO_STREAMS = {"batch_size": 16, "n_labeled": 8}
# Of blocks.2 to 6 the best for masks of training images of busi and lgg_mri.
LAYER = "encoder.blocks.5"
# The background of these maps is not as dark as IRNet's; steps as in CheXseg's code.
WALK: dict[str, Any] = {
    "scales": (1.0,),
    "foreground_threshold": 0.5,
    "background_threshold": 0.2,
    "radius": 3,
    "beta": 5.0,
    "n_steps": 8,
}
WALK_THRESHOLDS = (0.3, 0.5, 0.7, 0.9)  # the one that fits the given masks best is taken
TOP_SHARE = 0.002  # of the pixels: the highest, whose mean is an image's score
THRESHOLDS = (0.001, 0.002, 0.005, 0.01, 0.02, *(k / 20 for k in range(1, 20)))
# All that results depend on beside the setting.
CONSTANTS = {
    "two_streams": TWO_STREAMS,
    "walk": WALK,
    "walk_thresholds": WALK_THRESHOLDS,
    "top_share": TOP_SHARE,
    "thresholds": THRESHOLDS,
}

# sizes: height and width of images, where not `size`; images: for training, at most.
SETTINGS: dict[str, dict[str, Any]] = {
    "full": {
        "size": 128,
        "sizes": {"road_pothole": 256, "magnetic_tile": 192},
        "images": 400,
        "frozen": FROZEN,
        "parameters": {},
        "layer": LAYER,
        "boundary_steps": 100,
        "n_clusters": 8,
        "threshold_images": 150,
        "test_cap": None,
    },
    "smoke": {
        "size": 32,
        "sizes": {},
        "images": 40,
        "frozen": FROZEN | {"encoder": "tiny", "encoder_weights": None},
        "parameters": {"encoder": "tiny"},
        "layer": None,
        "boundary_steps": 1,
        "n_clusters": 3,
        "threshold_images": 16,
        "test_cap": 24,
    },
}
