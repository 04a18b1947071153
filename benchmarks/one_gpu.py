"""The performance on one GPU: three measurements in ten minutes.

    python -m benchmarks.one_gpu                    # all three, on a machine with a GPU
    python -m benchmarks.one_gpu script             # fit against the script that tutorials teach
    python -m benchmarks.one_gpu --smoke            # does it run? A minute on a CPU

- script: images a second of `SupervisedSegmenter.fit` over those of a DataLoader with 2 workers,
  NCHW, fp32 and Adam. Goal: 10 times.
- device: the same over a manual loop whose data are already on the device, with the same network,
  loss, precision, memory format and optimizer. Goal: .90.
- packed: seconds of a search of four candidates one after the other, over those of four processes
  at once. Goal: 1.5 times.

Compilation and imports come first and do not count. It fails where a goal is missed.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import joblib
import torch
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown, quotients, take_turns, timed
from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.losses import get_loss
from segclf.networks import segmentation_network
from segclf.training import choose_device

GOALS = {"script": 10.0, "device": 0.9, "packed": 1.5}
BATCH_SIZE, RATE = 32, 1e-3


def main() -> int:
    options = parse_arguments()
    shapes = make_shapes(options.images, image_size=options.size, random_state=0)
    parts = {"script": against_script, "device": against_device, "packed": packed}
    print(f"{describe_machine()}\n", flush=True)
    rows = []
    for part in options.parts or GOALS:
        rows.append([part, parts[part](shapes, options), GOALS[part]])
        print(f"{part}: {rows[-1][1]}", flush=True)
    print("\n" + markdown(["part", "times as fast", "goal"], rows))
    return int(not options.smoke and any(found.median < goal for _, found, goal in rows))


def against_script(shapes: Any, options: argparse.Namespace) -> Any:
    return ratio(lambda: usual_script(shapes, options), lambda: ours(shapes, options), options)


def against_device(shapes: Any, options: argparse.Namespace) -> Any:
    precision = ours(shapes, options).precision_
    by_hand = lambda: on_device(shapes, options, precision)  # noqa: E731
    return ratio(by_hand, lambda: ours(shapes, options), options)


def ratio(theirs: Callable[[], object], own: Callable[[], object], options: Any) -> Any:
    theirs(), own()
    times = take_turns({"theirs": theirs, "ours": own}, options.rounds)
    return quotients(times["theirs"], times["ours"])[0]


def packed(shapes: Any, options: argparse.Namespace) -> Any:
    def search(n_jobs: int) -> None:
        GridSearchCV(
            segmenter(options),
            {"learning_rate": [1e-4, 3e-4, 1e-3, 3e-3]},
            cv=ShuffleSplit(1, test_size=0.2, random_state=0),
            n_jobs=n_jobs,
            refit=False,
            error_score="raise",
        ).fit(shapes.images, shapes.masks)

    joblib.Parallel(n_jobs=4)(joblib.delayed(ours)(shapes, options) for _ in range(4))
    search(1)
    return quotients([timed(lambda: search(1))], [timed(lambda: search(4))])[0]


def segmenter(options: argparse.Namespace) -> SupervisedSegmenter:
    return SupervisedSegmenter(
        encoder=options.encoder,
        max_epochs=options.epochs,
        batch_size=BATCH_SIZE,
        learning_rate=RATE,
        schedule="constant",
        optimizer="adam",
        random_state=0,
    )


def ours(shapes: Any, options: argparse.Namespace) -> SupervisedSegmenter:
    return segmenter(options).fit(shapes.images, shapes.masks)


def usual_script(shapes: Any, options: argparse.Namespace) -> None:
    device = choose_device("auto")
    images = torch.from_numpy(shapes.images).permute(0, 3, 1, 2)
    loader = DataLoader(
        TensorDataset(images, torch.from_numpy(shapes.masks).long()),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=2,
    )
    network = segmentation_network(architecture="unet", encoder=options.encoder).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    loss = get_loss("dice_cross_entropy")
    for _ in range(options.epochs):
        running = 0.0
        for batch, masks in loader:
            optimizer.zero_grad()
            value = loss(network(batch.to(device).float() / 255), masks.to(device))
            value.backward()
            optimizer.step()
            running += value.item()


def on_device(shapes: Any, options: argparse.Namespace, precision: str) -> None:
    device, order = choose_device("auto"), torch.channels_last
    images = torch.from_numpy(shapes.images).permute(0, 3, 1, 2).float() / 255
    images, masks = images.to(device), torch.from_numpy(shapes.masks).long().to(device)
    network = segmentation_network(architecture="unet", encoder=options.encoder)
    network = network.to(device, memory_format=order)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    loss = get_loss("dice_cross_entropy")
    for _ in range(options.epochs):
        for rows in torch.randperm(len(images), device=device).split(BATCH_SIZE):
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                value = loss(network(images[rows].contiguous(memory_format=order)), masks[rows])
            value.backward()
            optimizer.step()
            optimizer.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"which of: {', '.join(GOALS)}; all by default")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny settings; goals do not count")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(GOALS):
        parser.error(f"there is no part {sorted(unknown)}; parts are {list(GOALS)}")
    if options.smoke:
        options.images, options.size, options.encoder = 16, 32, "tiny"
        options.epochs, options.rounds = 1, 1
    return options


if __name__ == "__main__":
    sys.exit(main())
