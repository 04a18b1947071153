"""Poisoned folders of `memory=` and `checkpoint=`."""

import inspect
import json
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.hostile import models
from benchmarks.hostile.models import Payload
from benchmarks.hostile.worker import Case
from segclf import SegmentationClassifier, SupervisedSegmenter, save
from segclf.datasets import make_shapes
from segclf.networks import classification_network

SHAPES = make_shapes(6, image_size=16, n_objects=2, target_radius=4, random_state=0)
KINDS = ["memory"]
if "checkpoint" in inspect.signature(SupervisedSegmenter).parameters:
    KINDS.append("checkpoint")


class Honest(NamedTuple):
    """A valid folder of each kind, and predictions with it."""

    folders: dict[str, Path]
    weights: Path
    predicted: dict[str, np.ndarray]


def prepare(folder: Path) -> Honest:
    """Fit twice, so that the second fit finds all."""
    weights = folder / "encoder.pth"
    if not weights.exists():
        folder.mkdir()
        torch.manual_seed(0)
        torch.save(classification_network(encoder="tiny").encoder.state_dict(), weights)
    folders = {kind: folder / kind for kind in KINDS}
    return Honest(folders, weights, {kind: _fit(weights, kind, folders[kind]) for kind in KINDS})


def make(honest: Honest, folder: Path, number: int, rng: np.random.Generator) -> Case:
    kind = KINDS[number // len(FAMILIES) % len(KINDS)] if number >= 0 else "memory"
    place = folder / kind
    shutil.copytree(honest.folders[kind], place)
    if number < 0:
        return Case("honest", str(place), kind)
    family = list(FAMILIES)[number % len(FAMILIES)]
    files = sorted(path for path in place.rglob("*") if path.is_file())
    chosen = files if rng.integers(2) else [files[int(rng.integers(len(files)))]]
    for path in chosen:
        FAMILIES[family](path, files, rng)
    return Case(f"{kind} {family}", str(place), kind)


def run(honest: Honest, folder: Path, case: Case) -> str:
    outside = folder.parent / f"outside-{folder.name}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = _fit(honest.weights, case.more, folder / case.more)
    if outside.exists() and outside.read_bytes() != b"not yours":
        raise RuntimeError("What lies outside was replaced.")
    if np.array_equal(predicted, honest.predicted[case.more]):
        return "accepted"
    return "documented" if case.family.split(" ", 1)[1] in _OTHER_RESULTS else "wrong"


def _fit(weights: Path, kind: str, folder: Path) -> np.ndarray:
    segmenter = SupervisedSegmenter(
        encoder="tiny",
        encoder_weights=weights,
        encoder_rate=0.0,
        architecture="unet",
        max_epochs=1,
        batch_size=3,
        random_state=0,
        **{kind: folder},
    )
    if kind == "memory":
        model: Any = SegmentationClassifier(
            segmenter=segmenter, summarizer="threshold", memory=folder, random_state=0
        )
        model.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    else:
        model = segmenter.fit(SHAPES.images, SHAPES.masks)
    return np.asarray(model.predict_proba(SHAPES.images))


def _content(change: Callable[..., bytes]) -> Callable[..., None]:
    def changed(path: Path, files: list[Path], rng: np.random.Generator) -> None:
        path.write_bytes(change(path.read_bytes(), rng))

    return changed


def _pickle(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    path.write_bytes(pickle.dumps(Payload(), int(rng.integers(6))))
    for name in ("output.pkl", "metadata.json", "func_code.py"):
        (path.parent / name).write_bytes(pickle.dumps(Payload()))


def _other_file(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    """Another file of the same folder under this name."""
    others = [other for other in files if other.is_file() and other != path]
    if others:
        path.write_bytes(others[int(rng.integers(len(others)))].read_bytes())


def _other_model(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    path.unlink()
    save(SupervisedSegmenter(encoder="tiny"), path)


def _other_numbers(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    """A file with numbers of another kind, and a header that fits."""
    content = path.read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:length])
    header.get("__metadata__", {}).update(form='{"list": ["0 load"]}')
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[length:])


def _instead(make: Callable[[Path], Any]) -> Callable[..., None]:
    def changed(path: Path, files: list[Path], rng: np.random.Generator) -> None:
        path.unlink()
        make(path)

    return changed


def _to_outside(path: Path) -> None:
    """A link to a file outside of the folder, which writing through it would replace."""
    case = next(parent.parent for parent in path.parents if parent.name in KINDS)
    outside = case.parent / f"outside-{case.name}"
    outside.write_bytes(b"not yours")
    path.symlink_to(outside)


def _folder_outside(path: Path, files: list[Path], rng: np.random.Generator) -> None:
    """A link in place of the folder that the file lies in."""
    case = next(parent.parent for parent in path.parents if parent.name in KINDS)
    elsewhere = case.parent / f"elsewhere-{case.name}"
    if not path.parent.is_symlink():
        shutil.rmtree(path.parent)
        elsewhere.mkdir(exist_ok=True)
        path.parent.symlink_to(elsewhere)


_OTHER_RESULTS = ("other file", "other model")
FAMILIES: dict[str, Callable[..., None]] = {
    "cut": _content(models._cut),
    "flipped": _content(models._flipped),
    "flipped header": _content(models._flipped_header),
    "empty": _content(lambda data, rng: b""),
    "random": _content(lambda data, rng: rng.bytes(2000)),
    "length": _content(models._length),
    "nested": _content(models._nested),
    "shapes": _content(models._shape),
    "offsets": _content(models._offsets),
    "types": _content(models._dtype),
    "pickle": _pickle,
    "other numbers": _other_numbers,
    "other file": _other_file,
    "other model": _other_model,
    "pipe": _instead(os.mkfifo),
    "device": _instead(lambda path: path.symlink_to("/dev/zero")),
    "folder": _instead(lambda path: path.mkdir()),
    "a link to itself": _instead(lambda path: path.symlink_to(path)),
    "a link outside": _instead(_to_outside),
    "a link of the folder": _folder_outside,
}
