"""One thread for all tests: they are small, and threads that wait for each other cost more."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")


@pytest.fixture
def encoded(monkeypatch):
    """How many images "tiny" computes in training, batch by batch."""
    import torch

    from segclf.networks import TinyEncoder

    batches = []
    forward = TinyEncoder.forward

    def counted(self, image):
        if not torch.is_inference_mode_enabled():
            batches.append(len(image))
        return forward(self, image)

    monkeypatch.setattr(TinyEncoder, "forward", counted)
    return batches
