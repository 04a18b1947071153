import sys
from types import SimpleNamespace

import early
import pytest
import torch
from torch import nn

from segclf.objectives import Objective
from segclf.training import precision
from segclf.training.precision import choose_precision, has_native_bf16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SIDE = 100  # pixels; ten images of that size are 1e5


class Layers(Objective):
    def __init__(self, *layers):
        super().__init__()
        self.network = nn.Sequential(*layers)

    def forward(self, batch, progress):
        return {"mean": self.network(batch["image"]).mean()}


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


def dense(n_kernels=50_000):
    return nn.Conv2d(n_kernels // 10, 10, 1, bias=False)


def choose(*layers, side=SIDE, setting="auto", device=CPU):
    batch = {"image": torch.empty(10, 1, side, side), "index": torch.arange(10)}
    return choose_precision(setting, Layers(*layers), batch, device)


def test_a_long_way_is_faster_in_bf16():
    assert [choose(dense(), side=side) for side in (99, 100)] == ["fp32", "bf16"]


def test_more_is_asked_for_on_cuda():
    assert choose(dense(), device=CUDA) == "fp32"
    assert choose(dense(10_000_000), device=CUDA) == "bf16"


def test_only_convolutions_count():
    assert choose(dense(40_000), nn.Linear(1000, 1000)) == "fp32"


@pytest.mark.parametrize(("channels", "answer"), [(100, "bf16"), (120, "fp32")])
def test_depthwise_kernels_that_learn_are_slower(channels, answer):
    depthwise = nn.Conv2d(channels, channels, 3, groups=channels, bias=False)
    assert choose(dense(), depthwise) == answer
    assert choose(dense(), depthwise.requires_grad_(False)) == "bf16"


def test_depthwise_kernels_do_not_matter_on_cuda():
    depthwise = nn.Conv2d(100_000, 100_000, 3, groups=100_000, bias=False)
    assert choose(dense(10_000_000), depthwise, device=CUDA) == "bf16"


def test_without_native_bf16(monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    for device in (CPU, CUDA, torch.device("mps")):
        assert choose(dense(10_000_000), device=device) == "fp32"


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_what_the_processor_says(monkeypatch, flag):
    monkeypatch.undo()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for said in (True, False):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda said=said: {flag: said}, raising=False
        )
        assert has_native_bf16(CPU) is said


@pytest.mark.parametrize("said", [True, False])
def test_an_older_torch_says_it_in_another_way(monkeypatch, said):
    monkeypatch.undo()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    older = {"_is_avx512_bf16_supported": lambda: said, "_is_amx_tile_supported": lambda: False}
    monkeypatch.setattr(torch, "cpu", SimpleNamespace(**older))
    assert has_native_bf16(CPU) is said


def test_what_is_asked_for_is_done():
    assert choose(dense(), setting="fp32") == "fp32"
    assert choose(dense(10), setting="bf16") == "bf16"
    assert choose(dense(10), setting="fp16") == "fp16"


def test_a_wrong_name_is_named():
    with pytest.raises(ValueError, match="'auto', 'bf16', 'fp16', 'fp32', got 'fp8'"):
        choose(dense(10), setting="fp8")


SCRIPT = """
import hashlib
from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes
shapes = make_shapes(4, image_size=32, random_state=0)
model = SupervisedSegmenter(encoder="resnet18", encoder_weights=None, max_steps=1, random_state=0)
proba = model.fit(shapes.images, shapes.masks).predict_proba(shapes.images)
found = f"{model.precision_} {hashlib.sha256(proba.tobytes()).hexdigest()}"
print(found)
"""
ANOTHER = early.Process((sys.executable, "-c", SCRIPT))


@pytest.mark.early(ANOTHER)
def test_two_processes_learn_the_same_bits(monkeypatch):
    monkeypatch.undo()
    here = {}
    exec(SCRIPT, here)
    done = early.result(ANOTHER)
    assert done.returncode == 0, done.output
    assert done.output.split("\n")[-2] == here["found"]
