"""Speed and memory of predicting files as a stream, also after a kill.

    python -m benchmarks.stream                                # 100,000 small files
    python -m benchmarks.stream --images 10000 --workers 2     # fewer

Files (alternating PNG and JPEG, `--size` pixels a side) are made in a temporary folder, and
predicted by ``python -m segclf predict`` in a separate process, whose resident memory is monitored.
A second run is killed (SIGKILL) halfway, and resumed; its table must have the same bytes.
The same network in the usual script, a torch DataLoader with the same number of workers, is timed
for comparison, and so are reading alone and the network alone. It fails if memory grows by more
than a tenth after a tenth of the images, or beyond 2 GB, or if the tables differ.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import segclf
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown
from segclf.data import as_images, read_ahead
from segclf.datasets import make_shapes
from segclf.streaming import open_images
from segclf.streaming.shards import BLOCK, CHUNK, portions

LIMIT = 2 * 2**30
SAMPLES = (0.1, 0.5, 1.0)
LOOK_EVERY = 0.05  # seconds
ALONE = 4096  # images for what is timed by itself


class Seen(NamedTuple):
    """A sample of a run: time, share of finished images, resident bytes."""

    seconds: float
    share: float
    memory: int


class Run(NamedTuple):
    """Seconds from start to end, and samples after the first images."""

    seconds: float
    seen: list[Seen]

    def at(self, share: float) -> int:
        """Return the memory when a share of the images was finished."""
        return min(self.seen, key=lambda seen: abs(seen.share - share)).memory

    def rate(self, n_images: int) -> float:
        """Return images a second from the first part to the last, without start and end."""
        first = self.seen[0]
        last = next(seen for seen in self.seen if seen.share == self.seen[-1].share)
        return n_images * (last.share - first.share) / (last.seconds - first.seconds)


def make_files(folder: Path, n_images: int, size: int) -> None:
    """Write PNG and JPEG files, a thousand to a folder, no two alike."""
    images = make_shapes(32, image_size=size, n_objects=3, random_state=0).images
    for number in range(n_images):
        parent = folder / f"{number // 1000:06}"
        parent.mkdir(parents=True, exist_ok=True)
        image = np.roll(images[number % 32], (number // 32) % size, axis=0)
        image = np.roll(image, number // 32 // size, axis=1)
        suffix = "png" if number % 2 else "jpg"
        Image.fromarray(image).save(parent / f"{number:09}.{suffix}")


def make_model(path: Path, size: int, encoder: str) -> None:
    """Save a classifier that has learned a little."""
    shapes = make_shapes(32, image_size=size, n_objects=3, random_state=0)
    settings: dict[str, Any] = {"encoder": encoder, "encoder_weights": None, "precision": "fp32"}
    if encoder == "tiny":
        del settings["encoder_weights"]
    model = segclf.ImageClassifier(max_epochs=1, random_state=0, **settings)
    segclf.save(model.fit(shapes.images, shapes.target), path)


def stream(given: argparse.Namespace, folder: Path, out: str, kill_at: float | None = None) -> Run:
    """Predict all files in a separate process, or some if it is killed."""
    started, seen, total = time.perf_counter(), [], given.images
    process = launched(folder, out, "--workers", str(given.workers), "--resume")
    parts = folder / out / "results.parts"
    while process.poll() is None:
        n_parts = len(list(parts.glob("*-errors.csv"))) if parts.is_dir() else 0
        share = min(1.0, n_parts * CHUNK / total)
        seen.append(Seen(time.perf_counter() - started, share, resident(process.pid)))
        if kill_at is not None and share >= kill_at:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(LOOK_EVERY)
    if kill_at is None and process.returncode:
        raise RuntimeError(f"It ended with {process.returncode}: {process.args!r}")
    seen = [each for each in seen if each.share and each.memory]  # in the end parts are removed
    return Run(time.perf_counter() - started, seen)


def launched(folder: Path, out: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "segclf", "predict", folder / "model", folder / "images"]
    command += ["--out", folder / out, *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_shards(given: argparse.Namespace, folder: Path) -> float:
    """Return images a second, start and end included, of a process for each worker."""
    started, n_shards = time.perf_counter(), given.workers
    shards = [f"{number}/{n_shards}" for number in range(1, n_shards + 1)]
    running = [launched(folder, "shards", "--workers", "1", "--shard", each) for each in shards]
    if sum(process.wait() for process in running):
        raise RuntimeError("A shard failed.")
    return given.images / (time.perf_counter() - started)


def resident(pid: int) -> int:
    """Return the resident memory of a process; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


class Files(Dataset):  # type: ignore[type-arg]
    """The data set of the usual script: a list of paths, opened by Pillow."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = np.array(Image.open(self._paths[index]).convert("RGB"))
        return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def usual_script(model: Any, paths: list[str], n_workers: int) -> None:
    loader = DataLoader(Files(paths), batch_size=BLOCK, num_workers=n_workers)
    with torch.inference_mode():
        for batch in loader:
            torch.softmax(model.network_(batch), dim=1).numpy()


def rate_of(function: Any, n_images: int) -> float:
    started = time.perf_counter()
    function()
    return n_images / (time.perf_counter() - started)


def alone(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Return images a second of reading, of the network, and of the usual script."""
    model, stored = segclf.load(folder / "model"), open_images(folder / "images")
    n_images = min(ALONE, len(stored))
    images = as_images(stored[:n_images], n_channels=3)
    blocks = list(portions(range(n_images), BLOCK))
    paths = [stored.key(index) for index in range(n_images)]
    first = next(read_ahead(images, blocks)).images
    torch.set_num_threads(int(os.environ.get("SEGCLF_NUM_THREADS", torch.get_num_threads())))
    model.predict_proba(first)

    def read() -> None:
        for _ in read_ahead(images, blocks, n_threads=given.workers):
            pass

    def compute() -> None:
        for _ in blocks:
            model.predict_proba(first)

    return {
        "reading alone": rate_of(read, n_images),
        "network alone": rate_of(compute, len(blocks) * len(first)),
        "DataLoader script": rate_of(lambda: usual_script(model, paths, given.workers), n_images),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64, help="of a side, in pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--folder", help="where the files go; a temporary one by default")
    given = parser.parse_args(arguments)
    print(describe_machine(), f"{given.images:,} files of {given.size} pixels", sep="\n")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        return _measure(given, Path(name))


def _measure(given: argparse.Namespace, folder: Path) -> int:
    make_files(folder / "images", given.images, given.size)
    make_model(folder / "model", given.size, given.encoder)
    whole = stream(given, folder, "whole")
    sharded = in_shards(given, folder)
    rates = alone(given, folder)
    killed = stream(given, folder, "killed", kill_at=0.5)
    resumed = stream(given, folder, "killed")
    tables = [(folder / out / "results.csv").read_bytes() for out in ("whole", "killed")]
    rows = [
        ["stream", f"{whole.rate(given.images):,.0f} images/s", ""],
        [
            "with start and end",
            f"{given.images / whole.seconds:,.0f} images/s",
            f"{whole.seconds:.1f} s",
        ],
        [f"{given.workers} shards at once, with start and end", f"{sharded:,.0f} images/s", ""],
        *([kind, f"{each:,.0f} images/s", ""] for kind, each in rates.items()),
        ["share of reading, if nothing overlapped", f"{_share_of_reading(rates):.2f}", ""],
        *(
            [f"memory at {share:.0%}", f"{whole.at(share) / 2**20:,.0f} MiB", ""]
            for share in SAMPLES
        ),
        ["killed at half, and gone on", "", f"{killed.seconds + resumed.seconds:.1f} s"],
        ["tables", "equal" if tables[0] == tables[1] else "DIFFERENT", ""],
    ]
    print(markdown(["what", "measured", "took"], rows))
    peak = max(seen.memory for seen in whole.seen)
    grows = whole.at(1.0) > 1.1 * whole.at(0.1)
    return int(tables[0] != tables[1] or peak > LIMIT or grows)


def _share_of_reading(rates: dict[str, float]) -> float:
    read, compute = (1 / rates[name] for name in ("reading alone", "network alone"))
    return read / (read + compute)


if __name__ == "__main__":
    sys.exit(main())
