"""Make the folder of small models that every later version must load.

    python -m tests.persistence.make_release 0.1.0

Run it once for a release, with that version, and never again: the files are what users of it have.
They hold one model of each public estimator, and of what scikit-learn makes of them; beside them
stand the images and what each model said of them. What is there is not overwritten.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import segclf
from segclf import MAEPretrainer, SegmentationClassifier, SupervisedSegmenter
from segclf.registry import make_plugin
from segclf.testing.small import small_estimator
from tests.every_method import METHODS, SHAPES, fitted, outputs

RELEASES = Path(__file__).parent / "releases"
EXPECTED = "expected.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="the version that this is")
    version = parser.parse_args().version
    if version != segclf.__version__:
        parser.error(f"This is segclf {segclf.__version__}.")
    folder = RELEASES / version
    folder.mkdir(parents=True)
    expected = {"images": SHAPES.images}
    for name, model in _models():
        segclf.save(model, folder / f"{name}.safetensors")
        expected[name] = outputs(model)
        print(f"{name}: {(folder / f'{name}.safetensors').stat().st_size:,} bytes")
    save_file(
        {name: np.ascontiguousarray(each) for name, each in expected.items()}, folder / EXPECTED
    )


def _models() -> Iterator[tuple[str, Any]]:
    warnings.simplefilter("ignore")
    for kind in METHODS:
        yield kind.__name__, fitted(kind, **_smaller(kind))
    segmenter = FrozenEstimator(fitted(SupervisedSegmenter, **_smaller(SupervisedSegmenter)))
    features = {"segmenter": segmenter, "summarizer": "mask_features"}
    yield "SegmentationClassifier-mask_features", fitted(SegmentationClassifier, **features)
    threshold = make_plugin("summarizer", "threshold")
    model = SegmentationClassifier(segmenter, summarizer=threshold, random_state=0)
    search = GridSearchCV(model, {"summarizer__threshold": [0.3, 0.5]}, cv=2)
    yield "GridSearchCV", search.fit(SHAPES.images, SHAPES.target, masks=list(SHAPES.masks))
    several = [
        ("line", LogisticRegression()),
        ("forest", RandomForestClassifier(5, random_state=0)),
    ]
    voting = VotingClassifier(several, voting="soft")
    model = make_pipeline(FrozenEstimator(fitted(MAEPretrainer)), StandardScaler(), voting)
    yield "Pipeline", model.fit(SHAPES.images, SHAPES.target)


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
