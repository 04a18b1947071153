"""One thread for all tests: they are small, and threads that wait for each other cost more."""

import os

import early
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")


def pytest_collection_finish(session):
    """Begin what takes long in processes of its own, where more than one test is chosen."""
    if session.config.option.collectonly or early.CORES == 1:
        return
    for item in session.items:
        for mark in item.iter_markers("early"):
            early.begin(*mark.args)


def pytest_unconfigure():
    early.stop()


@pytest.fixture
def encoded(monkeypatch):
    """How many images "tiny" computes in training, batch by batch."""
    from encoded import watch_encoder

    from segclf.networks import TinyEncoder

    batches = []
    watch_encoder(monkeypatch, TinyEncoder, batches.append, of_predictions=False)
    return batches


@pytest.fixture
def watch(monkeypatch):
    """Watch over the epochs of all fits: counts them, and kills."""
    from interrupted import Watch

    from segclf.training import loop

    watch = Watch(loop._train_epoch)
    monkeypatch.setattr(loop, "_train_epoch", watch)
    return watch
