"""segmentation-models-pytorch and timm, imported when one of their networks is built.

With torchvision, which both import, they take longer to import than torch itself. segclf's own
networks, such as a U-Net on "tiny", do without them.
"""

import sys
from typing import Any

from segclf.networks.tiny import SMP_NAME, TinyEncoder


def import_smp() -> Any:
    """Import segmentation-models-pytorch, with "tiny" in its table of encoders."""
    import segmentation_models_pytorch as smp

    entry: dict[str, Any] = {"encoder": TinyEncoder, "params": {}, "pretrained_settings": {}}
    smp.encoders.encoders.setdefault(SMP_NAME, entry)
    return smp


def import_timm() -> Any:
    """Import timm, with "tiny_vit" and "squeezenet1_1" among its models."""
    import timm

    import segclf.networks.squeezenet
    import segclf.networks.tiny_vit  # noqa: F401

    return timm


def is_vision_transformer(encoder: object) -> bool:
    """Tell whether an encoder is timm's plain vision transformer.

    Examples
    --------
    >>> import timm
    >>> encoder = timm.create_model("test_vit", img_size=32, num_classes=0)
    >>> from segclf.networks import is_vision_transformer
    >>> is_vision_transformer(encoder)
    True
    """
    return is_a(encoder, "timm.models", "VisionTransformer")


def has_tokens(encoder: object) -> bool:
    """Tell whether an encoder is a transformer of timm with one sequence of tokens throughout."""
    kinds = ("VisionTransformer", "Eva", "NaFlexVit")
    return any(is_a(encoder, "timm.models", kind) for kind in kinds)


def is_a(thing: object, module: str, name: str) -> bool:
    """Tell whether an object is an instance of a library's class, without importing the library.

    Parameters
    ----------
    thing : object
        Any object. Before a module is imported, nothing is an instance of its classes.
    module, name : str
        Module and name of the class.

    Examples
    --------
    >>> is_a({}, "collections.abc", "Mapping"), is_a({}, "no.such_library", "Mapping")
    (True, False)
    """
    kind = getattr(sys.modules.get(module), name, None)  # None while another thread imports it
    return kind is not None and isinstance(thing, kind)
