"""A fork while other threads hold our locks: they did not come along, and nobody waits for them."""

import threading
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from isolation.forked import in_child
from PIL import Image

from segclf.data import as_images, opencv_rasters
from segclf.isolation import _threads, generators, isolated, seeded, settings, threads

LOCKS = [
    (_threads, "_setting"),
    (settings._default_dtype, "_lock"),
    (generators, "_registering"),
    (opencv_rasters._quiet_opencv, "_lock"),
]
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@contextmanager
def in_another_thread(*contexts):
    """Be within the contexts there."""
    begun, over = threading.Event(), threading.Event()

    def hold():
        with ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context)
            begun.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(("module", "name"), LOCKS, ids=[name for _, name in LOCKS])
def test_locks_of_other_threads(module, name, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)  # OpenCV reads it

    def compute():
        with threads(torch.get_num_threads() + 1), isolated(), seeded(0):
            torch.rand(1)
        as_images([path]).take(np.arange(1))

    with in_another_thread(getattr(module, name)):
        assert in_child(compute)


def test_what_other_threads_had_set_is_over():
    """A default of another type is kept out of fits, and is back where none goes on."""

    def look():
        assert torch.get_default_dtype() == torch.float64
        with isolated():
            assert torch.get_default_dtype() == torch.float32
        assert torch.get_default_dtype() == torch.float64

    torch.set_default_dtype(torch.float64)
    try:
        with in_another_thread(isolated()):
            assert in_child(look)
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_this_thread_had_set_goes_on():
    torch.set_default_dtype(torch.float64)

    def look():
        assert torch.get_default_dtype() == torch.float32

    try:
        with isolated(), in_another_thread(isolated()):
            assert in_child(look)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
