"""Models that earlier versions saved are loaded, and say what they said then.

Not to the last bit: another processor, another build of torch or another number of threads adds in
another order, and networks hand such a difference on. Within one machine, `load` promises bits.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file

from segclf import load
from tests.every_method import outputs
from tests.persistence.make_release import EXPECTED, METHODS, RELEASES, asked

FOLDERS = sorted(folder for folder in RELEASES.iterdir() if folder.is_dir())
MODELS = [path for folder in FOLDERS for path in sorted(folder.glob("*")) if path.name != EXPECTED]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def expected():
    return {folder: load_file(folder / EXPECTED) for folder in FOLDERS}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_model_of_an_earlier_version(path, expected):
    then = expected[path.parent]
    model = load(path)
    said = outputs(model, asked(model, then))
    assert said.dtype == then[path.stem].dtype
    np.testing.assert_allclose(said, then[path.stem], atol=TOLERANCE, rtol=TOLERANCE)


def test_the_first_release_has_one_of_each_kind():
    names = {path.stem for path in MODELS if path.parent.name == "0.1.0"}
    assert {kind.__name__ for kind in METHODS} <= names
    assert {"SliceWise", "SupervisedSegmenter-unet3d"} <= names


def test_they_stay_small():
    for folder in FOLDERS:
        assert sum(path.stat().st_size for path in folder.iterdir()) < 3_100_000
