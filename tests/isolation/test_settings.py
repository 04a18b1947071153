import threading

import pytest
import torch

from segclf.isolation import isolated


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def test_modes_and_defaults_stay_outside(float64):
    with torch.inference_mode(), torch.autocast("cpu"), torch.device("meta"):
        with isolated():
            weight = torch.ones(2, 2, requires_grad=True)
            product = weight @ weight
            product.sum().backward()
        assert torch.get_default_dtype() == torch.float64
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.zeros(()).device.type == "meta"
    assert (product.dtype, product.device.type) == (torch.float32, "cpu")
    assert weight.grad.tolist() == [[4, 4], [4, 4]]


def test_the_last_one_out_restores_the_default_type(float64):
    """Two overlap without one within the other: as long as one is in, it is float32."""
    one_in, other_in, one_out = (threading.Event() for _ in range(3))
    types = []

    def come_first():
        with isolated():
            one_in.set()
            other_in.wait()
        one_out.set()

    def come_second():
        one_in.wait()
        with isolated():
            other_in.set()
            one_out.wait()
            types.append(torch.ones(1).dtype)

    workers = [threading.Thread(target=come) for come in (come_first, come_second)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert types == [torch.float32]
    assert torch.get_default_dtype() == torch.float64
