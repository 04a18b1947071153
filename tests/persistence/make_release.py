"""Make the folder of small models that every later version must load.

    python -m tests.persistence.make_release 0.1.0
    python -m tests.persistence.make_release 0.1.0 --add    # kinds that are new since

Run it once for a release, with that version, and never again: the files are what users of it have.
They hold one model of each public estimator, and of what scikit-learn makes of them; beside them
stand the images and volumes, and what each model said of them. What is there is not overwritten:
until the version is released, kinds may be added.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import segclf
from segclf import MAEPretrainer, SegmentationClassifier, SliceWise, SupervisedSegmenter
from segclf.axes import N_SPATIAL
from segclf.base import n_spatial
from segclf.datasets import make_shapes
from segclf.registry import make_plugin
from segclf.testing.small import small_estimator
from tests.every_method import METHODS, SHAPES, fitted, outputs

RELEASES = Path(__file__).parent / "releases"
EXPECTED = "expected.safetensors"
RADII = {"target_radius": 3, "spurious_radius": 3, "background_radius": 3}
VOLUMES = make_shapes(4, image_size=12, depth=3, n_objects=2, **RADII, random_state=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="the version that this is")
    parser.add_argument("--add", action="store_true", help="add what the folder does not have")
    options = parser.parse_args()
    if options.version != segclf.__version__:
        parser.error(f"This is segclf {segclf.__version__}.")
    folder = RELEASES / options.version
    folder.mkdir(parents=True, exist_ok=options.add)
    expected = load_file(folder / EXPECTED) if options.add else {"images": SHAPES.images}
    expected["volumes"] = VOLUMES.images
    for name, make in _models():
        if name in expected:
            continue
        model = make()
        segclf.save(model, folder / f"{name}.safetensors")
        expected[name] = outputs(model, asked(model, expected))
        print(f"{name}: {(folder / f'{name}.safetensors').stat().st_size:,} bytes")
    save_file(
        {name: np.ascontiguousarray(each) for name, each in expected.items()}, folder / EXPECTED
    )


def asked(model: Any, expected: dict[str, Any]) -> Any:
    """Return the images, or volumes, that a model is asked about."""
    return expected["images" if n_spatial(model) == N_SPATIAL else "volumes"]


def _models() -> Iterator[tuple[str, Callable[[], Any]]]:
    warnings.simplefilter("ignore")
    for kind in METHODS:
        yield kind.__name__, partial(fitted, kind, **_smaller(kind))
    yield "SegmentationClassifier-mask_features", _of_mask_features
    yield "GridSearchCV", _search
    yield "Pipeline", _pipeline
    yield "SliceWise", _slice_wise
    yield "SupervisedSegmenter-unet3d", _unet3d


def _segmenter() -> FrozenEstimator:
    return FrozenEstimator(fitted(SupervisedSegmenter, **_smaller(SupervisedSegmenter)))


def _of_mask_features() -> Any:
    return fitted(SegmentationClassifier, segmenter=_segmenter(), summarizer="mask_features")


def _search() -> Any:
    threshold = make_plugin("summarizer", "threshold")
    model = SegmentationClassifier(_segmenter(), summarizer=threshold, random_state=0)
    search = GridSearchCV(model, {"summarizer__threshold": [0.3, 0.5]}, cv=2)
    return search.fit(SHAPES.images, SHAPES.target, masks=list(SHAPES.masks))


def _pipeline() -> Any:
    several = [
        ("line", LogisticRegression()),
        ("forest", RandomForestClassifier(5, random_state=0)),
    ]
    voting = VotingClassifier(several, voting="soft")
    model = make_pipeline(FrozenEstimator(fitted(MAEPretrainer)), StandardScaler(), voting)
    return model.fit(SHAPES.images, SHAPES.target)


def _slice_wise() -> Any:
    segmenter = small_estimator(SupervisedSegmenter)
    segmenter.set_params(encoder_depth=1, decoder_channels=(8,))
    return SliceWise(segmenter, neighbors=1, random_state=0).fit(VOLUMES.images, VOLUMES.masks)


def _unet3d() -> Any:
    settings = {"architecture": "unet3d", "encoder": "tiny3d", "encoder_strides": [(1, 2, 2)]}
    segmenter = SupervisedSegmenter(**settings, max_epochs=2, random_state=0)
    return segmenter.fit(VOLUMES.images, VOLUMES.masks)


def _smaller(kind: type[Any]) -> dict[str, Any]:
    """Choose networks of fewer stages and layers, so that all files together stay small."""
    given = small_estimator(kind).get_params()
    sizes = {"encoder_depth": 2, "decoder_channels": (16, 8)}
    if given.get("architecture", "") is None:  # without a decoder, it has no other sizes
        return {}
    chosen = {
        name: sizes[name.rpartition("__")[2]] for name in given if name.rpartition("__")[2] in sizes
    }
    light = {"architecture": "fcn", "transformer_architecture": "hypercolumn"}
    return chosen or {name: value for name, value in light.items() if name in given}


if __name__ == "__main__":
    main()
