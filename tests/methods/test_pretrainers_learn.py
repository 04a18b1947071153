"""Every pretrainer, decided on textures that an untrained network tells apart badly."""

import pytest

from benchmarks.learning.runs import measure
from benchmarks.learning.settings import CLASSES, SETTINGS

# Of a probe's accuracy above that of the untrained network; of Otsu's masks, of the overlap.
MARGINS = {"SimSiam": 0.1, "BYOL": 0.1, "MoCo": 0.1, "Otsu": 0.1}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
@pytest.mark.parametrize("method", CLASSES)
def test_it_learns(method):
    untrained, ours = (
        measure(method, side, seed=0, setting=SETTINGS["full"], device="cpu")["score"]
        for side in ("untrained", "ours")
    )
    assert ours > untrained + MARGINS.get(method, 0.0)
