"""Time our thresholders against equivalent loops, and count equal thresholds.

Otsu: masks of 512 x 512 8 bit images (noise, gradients, textures, shapes, few gray levels), all
kept, against a loop over ``cv2.threshold``, whose thresholds must be ours for every image, and
against scikit-image. GHT: against the paper's formulation (Barron, ECCV 2020), which sums the
histogram of one image at a time from both ends in float64; with the histograms (of numpy) and the
masks, and from ready histograms on. All in one process on one thread, the sides in
turns; times are of the processor, and ratios medians over the rounds (quartiles).

Run ``python -m benchmarks.thresholding [--images 10000] [--hdibco FOLDER]``. It fails when a bar is
missed. The folder holds H-DIBCO 2016 as ``images/*.png`` and ``gt/*.png``.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from segclf_plugins.thresholders import GHTThresholder, OtsuThresholder
from skimage.filters import threshold_otsu

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import Times, markdown, quotients, spread, take_turns

SIZE = 512
IMAGES_PER_ROUND = 100
PAPER = {"nu": 2**29.5, "tau": 2**3.125, "kappa": 2**22.25, "omega": 2**-3.25}
BARS = {  # ours over theirs for Otsu, theirs over ours for GHT
    ("otsu", "cv2.threshold loop"): ("at most", 1.10),
    ("otsu", "scikit-image loop"): ("at most", 1.00),
    ("ght", "paper's formulation"): ("at least", 4.0),
    ("ght from histograms", "paper's formulation"): ("at least", 4.0),
}


def main() -> None:
    options = parse_arguments()
    cv2.setNumThreads(1)
    print(f"{describe_machine()}, opencv {cv2.__version__}, 1 thread\n")
    n_equal, otsu = compare_otsu(options)
    times = {"otsu": otsu, **time_ght(options)}
    passed = report(times)
    print(f"\nOtsu's threshold equals OpenCV's on {n_equal} of {options.images} images.")
    if options.hdibco:
        print("\n" + hdibco_table(options.hdibco))
    sys.exit(0 if passed and n_equal == options.images else 1)


def compare_otsu(options: argparse.Namespace) -> tuple[int, Times]:
    thresholder, times, n_equal = OtsuThresholder(), defaultdict(list), 0
    for start in range(0, options.images, IMAGES_PER_ROUND):
        images = make_images(start, min(options.images, start + IMAGES_PER_ROUND))
        sides = {
            "segclf": lambda images=images: thresholder.transform(images),
            "cv2.threshold loop": lambda images=images: [opencv_otsu(i)[1] for i in images],
            "scikit-image loop": lambda images=images: [i > threshold_otsu(i) for i in images],
        }
        for name, seconds in take_turns(sides, 1).items():
            times[name] += seconds
        theirs = [opencv_otsu(image)[0] for image in images]
        n_equal += int((thresholder.thresholds(images) == theirs).sum())
    return n_equal, times


def opencv_otsu(image: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint8]]:
    return cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)


def time_ght(options: argparse.Namespace) -> dict[str, Times]:
    thresholder = GHTThresholder(**PAPER, relative=False)
    whole, split = defaultdict(list), defaultdict(list)
    for number in range(options.ght_rounds):
        images = make_images(number * IMAGES_PER_ROUND, (number + 1) * IMAGES_PER_ROUND)
        counts, unit = np.stack([histogram(i) for i in images]), np.ones(len(images))
        masks = {
            "segclf": lambda images=images: thresholder.transform(images),
            "paper's formulation": lambda images=images: [
                image > paper_ght(histogram(image), **PAPER) for image in images
            ],
        }
        levels = {
            "segclf": lambda counts=counts, unit=unit: thresholder._best(counts, unit),
            "paper's formulation": lambda counts=counts: [paper_ght(c, **PAPER) for c in counts],
        }
        for sides, times in ((masks, whole), (levels, split)):
            for name, seconds in take_turns(sides, 1).items():
                times[name] += seconds
    return {"ght": whole, "ght from histograms": split}


def histogram(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.histogram(image, np.arange(257) - 0.5)[0]


def paper_ght(
    counts: NDArray[np.int64], nu: float, tau: float, kappa: float, omega: float
) -> float:
    """Score every split as the paper does, each side summed from its own end."""
    level = np.arange(len(counts), dtype=np.float64)
    weighted = counts * level
    squares = weighted * level
    dark = [np.cumsum(values)[:-1] for values in (counts, weighted, squares)]
    bright = [np.cumsum(values[::-1])[-2::-1] for values in (counts, weighted, squares)]
    n_pixels = counts.sum()
    scores = np.zeros(len(counts) - 1)
    for (count, total, square), share in ((dark, omega), (bright, 1 - omega)):
        count = np.maximum(count, 1e-30)
        distance = square - total**2 / count
        prior = nu * count / n_pixels
        variance = np.maximum(1e-30, (prior * tau**2 + distance) / (prior + count))
        scores -= distance / variance + count * np.log(variance)
        scores += 2 * (count + kappa * share) * np.log(count)
    return float(level[:-1][scores == scores.max()].mean())


def make_images(start: int, stop: int) -> NDArray[np.uint8]:
    """Draw images that depend on their number alone, each kind in turn; none is constant."""
    images = np.empty((stop - start, SIZE, SIZE), dtype=np.uint8)
    for number in range(start, stop):
        generator = np.random.default_rng(number)
        image = KINDS[number % len(KINDS)](generator)
        low, high = np.sort(generator.choice(256, 2, replace=False))
        cv2.normalize(image, image, int(low), int(high), cv2.NORM_MINMAX)
        images[number - start] = np.rint(image)
    return images


def noise(generator: np.random.Generator) -> NDArray[np.float32]:
    return generator.random((SIZE, SIZE), dtype=np.float32) ** generator.choice([0.5, 1, 3])


def gradient(generator: np.random.Generator) -> NDArray[np.float32]:
    ramp = np.linspace(0, 1, SIZE, dtype=np.float32)
    slope, blur = generator.uniform(-1, 1), generator.uniform(0, 0.3)
    return np.add.outer(ramp, slope * ramp).astype(np.float32) + blur * noise(generator)


def texture(generator: np.random.Generator) -> NDArray[np.float32]:
    small = generator.random((int(generator.integers(4, 64)),) * 2, dtype=np.float32)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def shapes(generator: np.random.Generator) -> NDArray[np.float32]:
    image = 0.2 * generator.random() * noise(generator)
    for _ in range(generator.integers(1, 20)):
        center, axes = (generator.integers(low, high, 2) for low, high in ((0, SIZE), (5, 120)))
        angle, value = generator.uniform(0, 180), generator.uniform(0.3, 1)
        cv2.ellipse(image, center.tolist(), axes.tolist(), angle, 0, 360, value, -1)
    return cv2.GaussianBlur(image, (0, 0), generator.uniform(0.3, 5))


def few_levels(generator: np.random.Generator) -> NDArray[np.float32]:
    n_levels = generator.integers(2, 16)
    return np.floor(texture(generator).clip(0, 0.999) * n_levels).astype(np.float32)


KINDS = (noise, gradient, texture, shapes, few_levels)


def report(times: dict[str, Times]) -> bool:
    rows, passed = [], True
    for (what, other), (word, bar) in BARS.items():
        ours, theirs = times[what]["segclf"], times[what][other]
        pair = (ours, theirs) if word == "at most" else (theirs, ours)
        _, ratio = quotients(*pair)
        good = ratio.median <= bar if word == "at most" else ratio.median >= bar
        passed &= good
        kind = "ours / theirs" if word == "at most" else "theirs / ours"
        costs = [f"{microseconds(seconds):.0f}" for seconds in (ours, theirs)]
        rows.append([what, other, *costs, kind, ratio, f"{word} {bar:.2f}", good])
    head = ["what", "against", "ours, us an image", "theirs", "ratio", "median", "bar", "met"]
    print(markdown(head, rows))
    return passed


def microseconds(times: list) -> float:
    return spread([seconds.cpu for seconds in times]).median / IMAGES_PER_ROUND * 1e6


def hdibco_table(folder: Path) -> str:
    """F1 and PSNR of the ink; gray is the largest channel, as in the published table."""
    paths = sorted((folder / "images").glob("*.png"))
    images = [cv2.imread(str(path)).max(axis=2) for path in paths]
    inks = [cv2.imread(str(folder / "gt" / path.name), 0) == 0 for path in paths]
    thresholders = {
        "Otsu": OtsuThresholder(polarity="dark"),
        "minimum error": GHTThresholder(nu=0, polarity="dark"),
        "weighted percentile": GHTThresholder(kappa=1e60, omega=2**-3.75, polarity="dark"),
        "GHT": GHTThresholder(**PAPER, relative=False, polarity="dark"),
    }
    rows = []
    for name, thresholder in thresholders.items():
        pairs = list(zip(thresholder.transform(images), inks, strict=True))
        f1 = np.array([200 * (m & ink).sum() / (m.sum() + ink.sum()) for m, ink in pairs])
        psnr = np.array([-10 * np.log10((m != ink).mean()) for m, ink in pairs])
        rows.append([name, *(f"{v.mean():.2f} ± {v.std():.2f}" for v in (f1, psnr))])
    return markdown(["H-DIBCO 2016", "F1", "PSNR"], rows)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--ght-rounds", type=int, default=10, help="of 100 images each")
    parser.add_argument("--hdibco", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
