"""The cost of a search with and without memory.

    python -m benchmarks.search_cost                 # both parts
    python -m benchmarks.search_cost summarizers     # 24 summarizers, 3 folds: 20 times cheaper
    python -m benchmarks.search_cost decoders        # decoders on a frozen encoder: 1.05 times
    python -m benchmarks.search_cost --smoke         # does it run? Claims are not checked

Both searches are scikit-learn's GridSearchCV without its refit (which costs the same on both
sides), over the same candidates, folds and seeds, on one thread; memory is empty before. All
summarizers have one name, so everything else is equal. The decoders are light, as is usual with a
frozen encoder; memory saves encoding. A single fit encodes each image only once, so memory saves
only the encoding of the same images in other fits. Scores must agree to 1e-6.
It fails if a claim does.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SEGCLF_NUM_THREADS", "1")

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import Seconds, markdown, timed
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, load_plugin
from segclf.datasets import make_shapes

CLAIMS = {"summarizers": 20.0, "decoders": 1.05}
SUMMARIZERS = {
    "summarizer__threshold": [0.3, 0.4, 0.5, 0.6],
    "summarizer__min_area": [1, 16, 64],
    "summarizer__pooling": ["mean", "max"],
}
DECODERS = {
    "decoder_channels": [(64, 32, 16, 16, 8), (32, 16, 16, 8, 8)],
    "learning_rate": [1e-3, 3e-3, 1e-2],
}


class Side(NamedTuple):
    """One search: its cost, its counts, and its scores."""

    seconds: Seconds
    fits: int
    encoded: int
    scores: np.ndarray


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(1)
    print(f"{describe_machine()}, 1 thread\n", flush=True)
    searches = {"summarizers": summarizers, "decoders": decoders}
    passed = [run(part, searches[part](options), options) for part in options.parts or CLAIMS]
    sys.exit(0 if options.smoke or all(passed) else 1)


def run(part: str, search: Callable[[Any], Any], options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        cached = measured(lambda: search(folder))
        again = measured(lambda: search(folder))
    plain = measured(lambda: search(None))
    sides = {"GridSearchCV": plain, "with memory": cached, "with memory, once more": again}
    gain = plain.seconds.cpu / cached.seconds.cpu
    difference = max(np.abs(side.scores - plain.scores).max() for side in (cached, again))
    print(f"### {part}: {len(plain.scores)} candidates, 3 folds\n")
    print(f"{options.images} images of {options.size} pixels, {options.epochs} epochs. Claim: at")
    print(f"least {CLAIMS[part]} times cheaper. Largest difference of a score: {difference:.1e}.\n")
    header = ["search", "segmenter fits", "images encoded", "s, clock", "s, processor", "times"]
    rows = [
        [name, side.fits, side.encoded, *(f"{s:.1f}" for s in side.seconds), times(plain, side)]
        for name, side in sides.items()
    ]
    print(markdown(header, rows) + "\n", flush=True)
    return bool(gain >= CLAIMS[part] and difference <= 1e-6)


def times(plain: Side, side: Side) -> str:
    return f"{plain.seconds.cpu / side.seconds.cpu:.1f}"


def measured(search: Callable[[], Any]) -> Side:
    found = []
    with counts() as done:
        seconds = timed(lambda: found.append(search()))
    scores = found[0].cv_results_["mean_test_score"]
    return Side(seconds, done["fits"], done["encoded"], scores)


@contextmanager
def counts() -> Iterator[dict[str, int]]:
    """Count the segmenters trained, and the images that pass a first convolution."""
    done = {"fits": 0, "encoded": 0}
    learn = SupervisedSegmenter._learn

    def counted(self: Any, samples: Any, **how: Any) -> None:
        done["fits"] += 1
        learn(self, samples, **how)

    def count(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(module, torch.nn.Conv2d) and module.in_channels == 3:
            done["encoded"] += len(output)

    handle = torch.nn.modules.module.register_module_forward_hook(count)
    SupervisedSegmenter._learn = counted
    try:
        yield done
    finally:
        SupervisedSegmenter._learn = learn
        handle.remove()


def summarizers(options: argparse.Namespace) -> Callable[[Any], Any]:
    shapes = images(options)

    def search(memory: Any) -> Any:
        segmenter = segmenter_of(options, encoder="tiny" if options.smoke else "resnet18")
        classifier = SegmentationClassifier(
            segmenter=segmenter,
            summarizer=load_plugin("summarizer", "threshold")(),
            memory=memory,
            random_state=0,
        )
        grid = {name: values[:2] for name, values in SUMMARIZERS.items()}
        found = GridSearchCV(
            classifier,
            grid if options.smoke else SUMMARIZERS,
            cv=3,
            scoring="roc_auc",
            refit=False,
            error_score="raise",
        )
        return found.fit(shapes.images, shapes.target, masks=shapes.masks)

    return search


def decoders(options: argparse.Namespace) -> Callable[[Any], Any]:
    shapes, encoder = images(options), "resnet18" if options.smoke else "resnet50"
    inner = ImageClassifier(encoder=encoder, max_epochs=1, precision="fp32", random_state=0)
    frozen = FrozenEstimator(inner.fit(shapes.images, shapes.target))

    def search(memory: Any) -> Any:
        segmenter = segmenter_of(
            options, encoder=encoder, pretrainer=frozen, encoder_rate=0.0, memory=memory
        )
        grid = {name: values[:1] for name, values in DECODERS.items()}
        found = GridSearchCV(
            segmenter, grid if options.smoke else DECODERS, cv=3, refit=False, error_score="raise"
        )
        return found.fit(shapes.images, shapes.masks)

    return search


def images(options: argparse.Namespace) -> Any:
    return make_shapes(options.images, image_size=options.size, n_objects=4, random_state=0)


def segmenter_of(options: argparse.Namespace, **settings: Any) -> SupervisedSegmenter:
    # Folds of 20 and 40 images, or of 40 and 80, are whole batches: no padding is counted.
    return SupervisedSegmenter(
        max_epochs=options.epochs,
        batch_size=10,
        learning_rate=1e-3,
        precision="fp32",
        random_state=0,
        **settings,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"which of: {', '.join(CLAIMS)}; all by default")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--smoke", action="store_true", help="a minute, with tiny settings")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(CLAIMS):
        parser.error(f"there is no part {sorted(unknown)}; parts are {list(CLAIMS)}")
    if options.smoke:
        options.images, options.size, options.epochs = 12, 32, 2
    return options


if __name__ == "__main__":
    main()
