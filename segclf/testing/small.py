"""Small, fast settings for any estimator of segclf, chosen by parameter names."""

from typing import Any

from segclf.methods.supervised_segmenter import SupervisedSegmenter

TINY = {
    "encoder": "tiny",
    "encoder_weights": None,
    "cnn": "tiny",
    "transformer": "tiny_vit",
    "transformer_architecture": "vit_unet",
    "learning_rate": 1e-2,
}
# Names of parameters for lengths and numbers of layers.
LENGTHS = {"_size": 16, "_width": 16, "_heads": 2, "_blocks": 1}
KEPT = {"batch_size", "image_size", "tile_size"}


def small_estimator(kind: type[Any], max_epochs: int = 2) -> Any:
    """Return an estimator of a class with tiny networks and few epochs.

    Parameters
    ----------
    kind : type
        A public estimator of segclf. Lengths of layers, ``*_size``, and counts, ``n_*``, become at
        most 16.
    max_epochs : int
        Number of epochs.

    Examples
    --------
    >>> from segclf import SimSiamPretrainer
    >>> small_estimator(SimSiamPretrainer).projection_size
    16
    """
    parameters = kind().get_params(deep=False)
    chosen = {name: _small(name, value) for name, value in parameters.items()}
    chosen |= {name: value for name, value in TINY.items() if name in parameters}
    if "max_epochs" in parameters:
        chosen["max_epochs"] = max_epochs
    for name in {"estimator", "segmenter", "teacher"} & parameters.keys():
        chosen[name] = small_estimator(SupervisedSegmenter, max_epochs)
    if getattr(kind, "_needs_transformer", False):
        chosen["encoder"] = "tiny_vit"
    return kind(**chosen)


def _small(name: str, value: Any) -> Any:
    if type(value) is not int or name in KEPT:
        return value
    length = 16 if name.startswith("n_") else LENGTHS.get(name[name.rfind("_") :], value)
    return min(value, length)
