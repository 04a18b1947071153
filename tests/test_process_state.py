"""Each setting that is global is found changed, named and put back."""

import os
import random
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

from segclf.process_state import GlobalStateWarning, unchanged

CHANGES = {
    "the filters of warnings": lambda: warnings.simplefilter("ignore"),
    "variables of the environment": lambda: os.environ.update(OMP_NUM_THREADS="7", CUDA_X="1"),
    "the working directory": lambda: os.chdir("/"),
    "the recursion limit": lambda: sys.setrecursionlimit(5000),
    "what Ctrl-C does": lambda: signal.signal(signal.SIGINT, lambda *of: None),
    "the random state of Python": lambda: random.seed(0),
    "numpy's handling of errors": lambda: np.seterr(all="ignore"),
    "the random state of numpy": lambda: np.random.seed(0),  # noqa: NPY002
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's gradient mode": lambda: torch.set_grad_enabled(False),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "torch's precision of matrix products": lambda: torch.set_float32_matmul_precision("medium"),
    "the random state of torch": lambda: torch.manual_seed(0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_is_named_and_put_back(name, monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # tests before may have left some
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with unchanged("Nobody"):
            pass
    # torch sets a variable of the environment together with its deterministic algorithms.
    message = f"^A test changes (variables of the environment, )?{name}; that was undone.$"
    for _ in range(2):  # the second time it would find nothing to change
        with pytest.warns(GlobalStateWarning, match=message), unchanged("A test"):
            CHANGES[name]()


def test_filters_of_one_module_or_of_a_librarys_own_warnings_stay():
    class OwnWarning(UserWarning):
        pass

    with warnings.catch_warnings():
        with unchanged("A library"):
            warnings.filterwarnings("ignore", module="some_library")
            warnings.simplefilter("ignore", OwnWarning)
        assert warnings.filters[0][2] is OwnWarning


def test_the_order_of_filters_counts():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", GlobalStateWarning)
        before = list(warnings.filters)
        with unchanged("It"):
            warnings.simplefilter("ignore")  # which moves it to the front
        assert warnings.filters == before
    assert "filters" in str(told[0].message)


def test_random_states_are_left_alone_where_other_threads_may_use_them():
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with unchanged("Nobody"):
            random.seed(0)
    finally:
        done.set()
        other.join()
    assert random.random() == random.Random(0).random()


def test_torch_that_is_imported_within_is_as_in_a_fresh_process():
    code = (
        "import sys, warnings\nfrom segclf.process_state import unchanged\n"
        "assert 'torch' not in sys.modules\n"
        "with unchanged('It'):\n    import torch\n    torch.set_default_dtype(torch.float64)\n"
        "assert torch.get_default_dtype() == torch.float32\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "It changes torch's default dtype; that was undone." in done.stderr
