"""Published pretrained weights of encoders, with their licences and statistics.

Mean and standard deviation are always the publisher's; see docs/decisions.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from segclf.networks.encoders import shown_name, timm_name
from segclf.networks.libraries import import_smp, import_timm
from segclf.networks.remote_files import HubFile, UrlFile

# Mean and standard deviation of the channels, for pixels from 0 to 1; None if unknown.
Statistics = tuple[tuple[float, ...], tuple[float, ...]] | None
# Licences that require nothing of models derived from the weights except a copy of the licence.
PERMISSIVE = frozenset({"apache-2.0", "bsd-3-clause", "mit", "cc-by-4.0"})


class Published(NamedTuple):
    """One published file: its library, model and licence."""

    library: str
    model: str
    file: HubFile | UrlFile
    licence: str | None
    statistics: Callable[[], Statistics]


def published_weights(name: str, key: str) -> list[Published]:
    """Return the files that a name stands for with an encoder, those of its own library first.

    Parameters
    ----------
    name : str
        ``"imagenet"``, or ``"timm/"`` and a model of timm.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.

    Raises
    ------
    ValueError
        When there are none.
    """
    model = timm_name(key)
    if name.startswith("timm/"):
        found = _of_timm(_config(name))
    elif model is not None:
        found = _of_timm(_imagenet_config(model))
    else:
        found = [*_of_smp(key), *_of_torchvision(key)]
    if found:
        return found
    raise ValueError(
        f"encoder_weights={name!r}: no such weights are published for encoder="
        f"{shown_name(key)!r}. Pass a file, or None to start from scratch."
    )


def binding_licence(key: str) -> str | None:
    """Return the licences of an encoder's published weights, if none is permissive.

    Parameters
    ----------
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.

    Returns
    -------
    str or None
        None if there are weights under a permissive licence, or no weights at all.
    """
    model = timm_name(key)
    found = set() if model is None else {one.license for one in _configs(model).values()}
    return " or ".join(sorted(found)) or None if all(map(binds, found)) else None


def of_file(stem: str, key: str) -> tuple[str | None, Statistics]:
    """Return licence and statistics of a user's file of weights, as far as they are unambiguous.

    A file named like weights of timm (``vit_small_patch14_dinov2.lvd142m``) is taken to be these.
    For a model without published ImageNet-1k weights, such as DINOv2's, any other file is taken to
    be its published weights, if these all agree.

    Parameters
    ----------
    stem : str
        The file's name without its ending.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.
    """
    model = timm_name(key)
    configs = {} if model is None else _configs(model)
    meant = [configs[stem]] if stem in configs else list(configs.values())
    if stem not in configs and any(tag.endswith("in1k") for tag in configs):
        meant = []
    licences = {config.license for config in meant}
    statistics = {(tuple(config.mean), tuple(config.std)) for config in meant}
    return (
        licences.pop() if len(licences) == 1 else binding_licence(key),
        statistics.pop() if len(statistics) == 1 else None,
    )


def binds(licence: str | None) -> bool:
    """Tell whether a licence is known to require anything of models derived from the weights."""
    return licence not in PERMISSIVE | {None, "unknown"}


def imagenet_statistics(model: str) -> Statistics:
    """Return the pixel statistics with which a timm model was trained on ImageNet."""
    config = _imagenet_config(model)
    return tuple(config.mean), tuple(config.std)


def _configs(model: str) -> dict[str, Any]:
    """Return timm's configurations with weights of a model, the preferred one first."""
    configs = import_timm().models.get_arch_pretrained_cfgs(model)
    return {tag: config for tag, config in configs.items() if config.has_weights}


def _config(name: str) -> Any:
    """Return the configuration of ``timm/model`` or ``timm/model.tag``."""
    full = name.removeprefix("timm/")
    configs = _configs(full.split(".")[0]) if import_timm().is_model(full.split(".")[0]) else {}
    if "." not in full and configs:
        return next(iter(configs.values()))
    if full in configs:
        return configs[full]
    there = f"Available: {', '.join(f'timm/{each}' for each in configs)}." if configs else ""
    raise ValueError(f"encoder_weights={name!r}: timm publishes no such weights. {there}".rstrip())


def _imagenet_config(model: str) -> Any:
    """Return the first configuration of ImageNet-1k with a permissive licence."""
    configs = _configs(model)
    for tag, config in configs.items():
        if tag.endswith("in1k") and config.license in PERMISSIVE:
            return config
    others = ", ".join(f"'timm/{each}' ({one.license})" for each, one in configs.items())
    raise ValueError(
        f"encoder_weights='imagenet': timm publishes no such weights for encoder={model!r} under a "
        f"permissive licence. Available by name: {others or 'none'}."
    )


def _of_timm(config: Any) -> list[Published]:
    files: list[HubFile | UrlFile] = []
    if config.hf_hub_id:
        names = (config.hf_hub_filename,) if config.hf_hub_filename else HubFile.names
        files.append(HubFile(config.hf_hub_id, names))
    if isinstance(config.url, str) and config.url and not config.url.endswith(".npz"):
        files.append(UrlFile(config.url))
    model = f"{config.architecture}.{config.tag}"
    statistics = tuple(config.mean), tuple(config.std)
    return [Published("timm", model, file, config.license, lambda: statistics) for file in files]


def _of_smp(key: str) -> list[Published]:
    entry = import_smp().encoders.encoders.get(key, {"pretrained_settings": {}})
    settings = entry["pretrained_settings"].get("imagenet")
    if settings is None:
        return []
    file = HubFile(
        settings["repo_id"], ("model.safetensors",), settings["revision"], ("config.json",)
    )
    statistics = partial(_of_pixels, replace(file, names=file.companions))
    return [Published("segmentation-models-pytorch", key, file, None, statistics)]


def _of_pixels(file: HubFile) -> Statistics:
    path = file.cached()
    if path is None:
        return None
    config = json.loads(path.read_text(encoding="utf-8"))
    return tuple(config["mean"]), tuple(config["std"])


def _of_torchvision(key: str) -> list[Published]:
    import torchvision

    if key not in torchvision.models.list_models(torchvision.models):
        return []
    # The first are those that segmentation-models-pytorch also publishes.
    weights = torchvision.models.get_model_weights(key).IMAGENET1K_V1
    pixels = weights.transforms()
    statistics = tuple(pixels.mean), tuple(pixels.std)
    file = UrlFile(weights.url)
    return [Published("torchvision", key, file, "bsd-3-clause", lambda: statistics)]
