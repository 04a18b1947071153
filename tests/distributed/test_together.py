"""What several processes learn together is what one learns."""

import os
import sys
from pathlib import Path

import early
import numpy as np
import pytest
from every_method import METHODS
from torchrun.apart import fitted

TESTS = Path(__file__).parents[1]
PATHS = os.pathsep.join([str(TESTS), str(TESTS.parent), *sys.path])
NAMES = [
    *("chained", "batch norm", "timm's batch norm", "dropout and statistics", "frozen encoder"),
    *("turned maps", "files", "single image", "early stopping", "dice over the batch"),
    *(kind.__name__ for kind in METHODS),
]
# Their parts go by Adam, which makes a step of rounding noise where a gradient is 0.
OF_ADAM = {"DistilledSegmenter": 1e-4}


def launched(n_processes, script, *arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={n_processes}", str(TESTS / "torchrun" / script), *arguments]
    return early.Process(tuple(command), (("PYTHONPATH", PATHS),))


ONE, TWO, FOUR = (launched(n, "together.py", "learned.npz") for n in (1, 2, 4))
APART = launched(2, "apart.py")


def compared(name, process, n_processes):
    ended = [early.result(each) for each in (ONE, process)]
    assert [each.returncode for each in ended] == [0, 0], ended[1].output[-2000:]
    one, several = (np.load(each.folder / "learned.npz") for each in ended)
    assert (one["n_processes"], several["n_processes"]) == (1, n_processes)
    keys = [key for key in one.files if key.startswith(f"{name}/")]
    assert keys
    for key in keys:
        np.testing.assert_allclose(several[key], one[key], rtol=0, atol=OF_ADAM.get(name, 1e-5))


@pytest.mark.early(ONE)
@pytest.mark.early(TWO)
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_learn_what_one_learns(name):
    compared(name, TWO, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_four_processes_learn_what_one_learns(name):
    compared(name, FOUR, 4)


def test_all_that_is_computed_is_compared():
    ended = early.result(ONE)
    found = {key.split("/")[0] for key in np.load(ended.folder / "learned.npz").files}
    assert found - {"n_processes"} == set(NAMES)


@pytest.mark.early(APART)
def test_different_data_are_an_error_in_each_process():
    folder = early.result(APART).folder
    for rank in range(2):
        said = (folder / f"data-{rank}").read_text()
        assert "different data or seeds for SupervisedSegmenter" in said


def test_who_is_left_alone_says_so():
    ended = early.result(APART)
    assert ended.returncode != 0
    said = (ended.folder / "ended").read_text()
    assert said.startswith("Process 0 of 2 got no answer from the others: one of them has ended")


def test_the_first_process_alone_prints():
    assert early.result(APART).output.count("epoch 1 ") == 1


def test_a_fit_goes_on_with_another_number_of_processes(watch):
    folder = early.result(APART).folder / "kept"
    expected = fitted(max_epochs=4)
    resumed, n_epochs = watch.run(lambda: fitted(max_epochs=4, checkpoint=str(folder)))
    assert n_epochs == 2
    ours, theirs = (each.network_.state_dict() for each in (resumed, expected))
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-5)
