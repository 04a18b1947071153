"""How does our loop compare with a manual loop, skorch, and the usual tutorial script?

    python -m benchmarks.loop_overhead            # all three parts
    python -m benchmarks.loop_overhead batch      # per-batch overhead, with a linear network
    python -m benchmarks.loop_overhead fit        # a whole fit of a U-Net against a manual loop
    python -m benchmarks.loop_overhead tutorial   # images per second against a tutorial script

All sides alternate. The result is the median over the rounds of the ratio within a round,
with quartiles: in wall-clock time, and in processor time, which is more reliable on a busy machine.
"""

import argparse
import json
import os
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.loop_overhead.sides import BatchSides, FitSides, TutorialSides
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import Seconds, markdown, quotients, spread, take_turns, timed
from segclf.training import choose_threads

PARTS = ("batch", "fit", "tutorial")


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    print(f"{describe_machine()}, {options.threads} thread(s), load {load()}\n")
    results: dict[str, Any] = {"machine": describe_machine(), "options": vars(options)}
    runs = {"batch": per_batch, "fit": whole_fit, "tutorial": against_tutorial}
    for part in options.parts or PARTS:
        results[part] = runs[part](options)
        print(f"\nLoad {load()} after this part.\n", flush=True)
    if options.output:
        Path(options.output).write_text(json.dumps(results, indent=1))


def per_batch(options: argparse.Namespace) -> dict[str, Any]:
    sides = BatchSides(options.batch_epochs)
    times = take_turns(sides.runs(), 1 + options.batch_rounds)
    times = {name: runs[1:] for name, runs in times.items()}  # the first round warms up
    by_hand, ours = times["by hand"], times["segclf"]
    rows = []
    for name, runs in times.items():
        total = spread([1e6 * run.wall / sides.n_batches for run in runs])
        extra = spread([1e6 * x for x in extras(runs, by_hand, "wall", sides.n_batches)])
        extra_cpu = spread([1e6 * x for x in extras(runs, by_hand, "cpu", sides.n_batches)])
        rows.append([name, total, extra, extra_cpu, *shares(ours, runs, by_hand)])
    print(f"### Per batch: linear network, {sides.n_batches} batches of {sides.batch_size}\n")
    print("Microseconds a batch, median (quartiles). Claim: segclf's overhead is at most 0.25 of")
    print("skorch's.\n")
    header = ["side", "total", "overhead, clock", "overhead, processor"]
    print(markdown([*header, "segclf's share of it, clock", "processor"], rows))
    return {"n_batches": sides.n_batches, "seconds": times}


def extras(runs: list[Seconds], by_hand: list[Seconds], clock: str, n_batches: int) -> list[float]:
    pairs = zip(runs, by_hand, strict=True)
    return [(getattr(run, clock) - getattr(hand, clock)) / n_batches for run, hand in pairs]


def shares(ours: list[Seconds], theirs: list[Seconds], by_hand: list[Seconds]) -> list[str]:
    """Our median overhead over theirs: by the clock, in processor time."""
    if theirs is by_hand:
        return ["", ""]
    medians = [
        [spread(extras(runs, by_hand, clock, 1)).median for runs in (ours, theirs)]
        for clock in ("wall", "cpu")
    ]
    return [f"{our / their:.2f}" for our, their in medians]


def whole_fit(options: argparse.Namespace) -> dict[str, Any]:
    sides = FitSides(options)
    sides.by_hand("fp32")
    first = timed(sides.segclf)
    hand = timed(lambda: sides.by_hand(sides.precision))
    runs = {"by hand": lambda: sides.by_hand(sides.precision), "segclf": sides.segclf}
    times = take_turns(runs, options.fit_rounds)
    wall, cpu = quotients(times["segclf"], times["by hand"])
    print(f"### Whole fit: {options.network}, {sides.n_batches} batches, {sides.precision}\n")
    print("Time of `SupervisedSegmenter.fit` over that of a loop by hand with the same network,")
    print("loss, precision, memory format and optimizer. Claim: later fits at most 1.03.\n")
    rows = [
        ["first", f"{first.wall / hand.wall:.3f}", f"{first.cpu / hand.cpu:.3f}"],
        ["later", fine(wall), fine(cpu)],
    ]
    print(markdown(["fit", "clock", "processor"], rows))
    return {"first": [first, hand], "seconds": times, "precision": sides.precision}


def against_tutorial(options: argparse.Namespace) -> dict[str, Any]:
    training: dict[str, list[Seconds]] = {"tutorial": [], "segclf": []}
    prediction: dict[str, list[Seconds]] = {"tutorial": [], "segclf": []}
    dice: dict[str, list[float]] = {"tutorial": [], "segclf": []}
    for seed in range(options.seeds):
        sides = TutorialSides(options, seed)
        for name, times in take_turns(sides.training(), 1).items():
            training[name] += times
        for name, times in take_turns(sides.prediction(), options.prediction_rounds).items():
            prediction[name] += times
        for name, value in sides.dice().items():
            dice[name].append(value)
    fast = sides.precision == "bf16"
    print(f"### Tutorial script: {options.network}, {options.epochs} epochs, {sides.precision}\n")
    print("Images per second of segclf over those of the script (DataLoader with 2 workers, NCHW,")
    print(f"fp32, Adam); Dice on {options.n_test} test images, over {options.seeds} seeds.\n")
    rows = []
    for name, times, claim in (
        ("training", training, 2.0 if fast else 1.2),
        ("prediction", prediction, 2.6 if fast else 1.2),
    ):
        rows.append([name, *quotients(times["tutorial"], times["segclf"]), claim])
    print(markdown(["what", "clock", "processor", "claim"], rows) + "\n")
    print(dice_table(dice))
    return {"training": training, "prediction": prediction, "dice": dice}


def dice_table(dice: dict[str, list[float]]) -> str:
    """One column a seed, and a last row with what segclf gains."""
    gains = [ours - theirs for theirs, ours in zip(*dice.values(), strict=True)]
    rows = [
        [name, *(f"{v:.3f}" for v in values), f"{mean(values):.3f}"]
        for name, values in {**dice, "difference": gains}.items()
    ]
    return markdown(["Dice", *(f"seed {seed}" for seed in range(len(gains))), "mean"], rows)


def fine(values: Any) -> str:
    return f"{values.median:.3f} ({values.low:.3f} to {values.high:.3f})"


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--threads", type=int, default=choose_threads(None))
    parser.add_argument("--batch-epochs", type=int, default=16, help="of 64 batches")
    parser.add_argument("--batch-rounds", type=int, default=20)
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--fit-images", type=int, default=64)
    parser.add_argument("--fit-epochs", type=int, default=2)
    parser.add_argument("--fit-rounds", type=int, default=7)
    parser.add_argument("--n-train", type=int, default=96)
    parser.add_argument("--n-test", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prediction-rounds", type=int, default=3, help="for each seed")
    parser.add_argument("--output", help="JSON file")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    names = f"{options.architecture}, {options.encoder}"
    options.network = f"{names}, {options.image_size} x {options.image_size}"
    return options


if __name__ == "__main__":
    main()
