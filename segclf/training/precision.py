"""Is bf16 faster than fp32, for this network on this machine? Ask by trying."""

import copy
import time

import torch

from segclf.isolation import seeded
from segclf.objectives import Batch, Objective, Progress
from segclf.training.devices import autocast
from segclf.training.loop import to_device, total

MINIMAL_WORK = 1e11
MINIMAL_GAIN = 1.15
N_PAIRS = 3
PROBE_BATCH = 4
_known: dict[tuple[object, ...], str] = {}


def choose_precision(
    precision: str, objective: Objective, batch: Batch, device: torch.device
) -> str:
    """Return "fp32" or "bf16".

    "auto" is fp32 where parameters times pixels of a batch are below 1e11, since little is gained
    there (a U-Net with a ResNet-18 passes that with two images of 64 x 64); else bf16 where a few
    training steps on the first images of `batch`, timed in turn with fp32, were at least 1.15
    times as fast. One answer serves all networks of one build and image size for the life of the
    process. The objective is left as it was.

    Raises
    ------
    ValueError
        When `precision` is none of "auto", "bf16" and "fp32".
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise ValueError(f"precision must be 'auto', 'bf16' or 'fp32', got {precision!r}.")
    image = batch["image"]
    if precision != "auto":
        return precision
    n_parameters = sum(p.numel() for p in objective.parameters())
    work = n_parameters * image.shape[0] * image.shape[-2:].numel()
    if work < MINIMAL_WORK or device.type == "mps":
        return "fp32"
    key = (type(objective), n_parameters, image.shape, str(device), torch.get_num_threads())
    if key not in _known:
        _known[key] = _probe(objective, batch, device)
    return _known[key]


def _probe(objective: Objective, batch: Batch, device: torch.device) -> str:
    trial = copy.deepcopy(objective).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    batch = to_device({name: value[:PROBE_BATCH] for name, value in batch.items()}, device)
    with seeded(0, device):  # the generators that training will sample from stay as they are
        for precision in ("fp32", "bf16"):
            _seconds(trial, batch, device, precision)
        pairs = [
            (_seconds(trial, batch, device, "fp32"), _seconds(trial, batch, device, "bf16"))
            for _ in range(N_PAIRS)
        ]
    fp32, bf16 = map(min, zip(*pairs, strict=True))  # the least disturbed of each
    return "bf16" if fp32 >= MINIMAL_GAIN * bf16 else "fp32"


def _seconds(objective: Objective, batch: Batch, device: torch.device, precision: str) -> float:
    started = time.perf_counter()
    with autocast(device, precision):
        terms = objective(batch, Progress(0, 0, 0.0))
    total(terms).backward()
    objective.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
