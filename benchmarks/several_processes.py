"""How much faster do several processes train, with the same result? An estimate for two hosts.

    python -m benchmarks.several_processes                # 1, 2 and 4 processes by gloo; minutes
    python -m benchmarks.several_processes --numbers 1 2  # these
    python -m benchmarks.several_processes --paper        # two hosts of 8 GPUs, computed

Each number is a run of torchrun, with one thread per process. The result is the median of its later
epochs, and the median of the rounds, in which the numbers alternate. The weights of all runs are
compared. It fails if they differ by more than 1e-5, or, if the machine has as many idle cores, two
processes are less than 1.7 times as fast.

On paper: bytes sent in a step over the links between two hosts, and the computation of a step.
Gradients go around a ring of all GPUs, 2 (N - 1) / N times their bytes; network outputs are
gathered, (N - 1) / N of them. Neither overlaps with the backward pass.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown, spread
from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.distributed import is_first
from segclf.networks import classification_network, segmentation_network

GAIN, TOLERANCE = 1.7, 1e-5
HOSTS, GPUS = 2, 8
NETWORKS = {
    "hypercolumn, frozen tf_efficientnet_lite0": ("hypercolumn", "tf_efficientnet_lite0", True),
    "unet, resnet18": ("unet", "resnet18", False),
    "unet, resnet50": ("unet", "resnet50", False),
    "classifier, resnet50": (None, "resnet50", False),
}


def main() -> int:
    options = parse_arguments()
    if options.learn is not None:
        return learn(options)
    print(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}\n")
    return on_paper(options) if options.paper else measured(options)


def measured(options: argparse.Namespace) -> int:
    first, *_ = options.numbers
    rounds = [{n: launched(n, options) for n in options.numbers} for _ in range(options.rounds)]
    seconds = {n: [float(runs[n]["seconds"]) for runs in rounds] for n in options.numbers}
    gains = {n: spread(np.divide(seconds[first], seconds[n]).tolist()) for n in options.numbers}
    weights = {n: rounds[0][n]["weights"] for n in options.numbers}
    apart = {n: float(np.abs(each - weights[first]).max()) for n, each in weights.items()}
    print(
        f"{options.images} images of {options.size} x {options.size}, encoder {options.encoder}\n"
    )
    rates = {n: options.images / statistics.median(each) for n, each in seconds.items()}
    rows = [[n, f"{rates[n]:.0f}", str(gains[n]), f"{apart[n]:.1e}"] for n in options.numbers]
    header = ["processes", "images/s", "times as fast (quartiles)", "largest difference"]
    print(markdown(header, rows))
    too_slow = 2 in gains and gains[2].median < GAIN
    return int(max(apart.values()) > TOLERANCE or too_slow)


def launched(n_processes: int, options: argparse.Namespace) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "learned.npz")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={n_processes}", "-m", "benchmarks.several_processes"]
        command += ["--learn", str(path), "--images", str(options.images)]
        command += ["--size", str(options.size), "--encoder", options.encoder]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGCLF_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=environment)
        return dict(np.load(path))


def learn(options: argparse.Namespace) -> int:
    """Train by SGD: Adam makes a step of rounding noise where a gradient is 0."""
    shapes = make_shapes(options.images, image_size=options.size, n_objects=4, random_state=0)
    segmenter = SupervisedSegmenter(
        encoder=options.encoder,
        optimizer="sgd",
        learning_rate=1e-3,
        max_epochs=4,
        batch_size=16,
        precision="fp32",
        random_state=0,
    ).fit(shapes.images, shapes.masks)
    if is_first():
        weights = [each.detach().flatten() for each in segmenter.network_.parameters()]
        seconds = statistics.median(segmenter.history_["seconds"][1:])
        np.savez(options.learn, weights=torch.cat(weights).numpy(), seconds=seconds)
    return 0


def on_paper(options: argparse.Namespace) -> int:
    n_gpus = HOSTS * GPUS
    share = (n_gpus - 1) / n_gpus
    rows = []
    for name, (architecture, encoder, is_frozen) in NETWORKS.items():
        network = made(architecture, encoder)
        learning = [p for n, p in network.named_parameters() if not (is_frozen and "encoder" in n)]
        n_learning = sum(each.numel() for each in learning)
        operations, n_values = of_an_image(network, options.paper_size)
        images = options.paper_batch * n_gpus
        gradients = 2 * share * 4 * n_learning
        outputs = share * 4 * n_values * images
        passes = 1 if is_frozen else 3
        compute = passes * operations * options.paper_batch / options.flops
        travel = (gradients + outputs) / options.bandwidth
        rows.append(
            [
                name,
                f"{n_learning / 1e6:.1f}",
                f"{gradients / 1e6:.0f}",
                f"{outputs / 1e6:.1f}",
                f"{1e3 * compute:.0f}",
                f"{1e3 * travel:.0f}",
                f"{compute / (compute + travel):.2f}",
            ]
        )
    print(
        f"{HOSTS} hosts of {GPUS} GPUs, {options.paper_batch} images of {options.paper_size} x "
        f"{options.paper_size} on each, {options.flops / 1e12:.0f} TFLOP/s reached, "
        f"{options.bandwidth / 1e9:.1f} GB/s between the hosts\n"
    )
    header = ["network", "million weights that learn", "MB of gradients", "MB of outputs"]
    print(markdown([*header, "ms of computing", "ms of travel", "share of linear"], rows))
    return 0


def made(architecture: str | None, encoder: str) -> torch.nn.Module:
    if architecture is None:
        return classification_network(encoder=encoder).eval()
    return segmentation_network(architecture=architecture, encoder=encoder).eval()


@torch.no_grad()
def of_an_image(network: torch.nn.Module, size: int) -> tuple[int, int]:
    """Return what a forward pass takes, in floating-point operations, and how much it says."""
    with FlopCounterMode(display=False) as counter:
        output = network(torch.zeros(1, 3, size, size))
    return counter.get_total_flops(), output.numel()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", nargs="+", type=int, default=[1, 2, 4], metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--paper", action="store_true", help="two hosts of 8 GPUs, computed")
    parser.add_argument("--paper-batch", type=int, default=32, help="images for each GPU")
    parser.add_argument("--paper-size", type=int, default=224)
    parser.add_argument("--flops", type=float, default=50e12, help="reached, a second and GPU")
    parser.add_argument("--bandwidth", type=float, default=12.5e9, help="bytes/s between hosts")
    parser.add_argument("--learn", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
