"""The demo: segmentation against classification on the same 100 synthetic images."""

import importlib.util
import io
import pathlib
import sys
import textwrap
import time
from typing import Any, NamedTuple

from sklearn.callback import ProgressBar
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.utils import Bunch

from segclf.data import atomic_write
from segclf.datasets import make_shapes
from segclf.displays import ComparisonDisplay
from segclf.methods.image_classifier import ImageClassifier
from segclf.methods.segmentation import SegmentationClassifier
from segclf.methods.supervised_segmenter import SupervisedSegmenter

__all__ = ["run"]

N_TRAIN, N_TEST = 100, 200
SCENE: dict[str, Any] = {
    "image_size": 96,
    "n_objects": 30,
    "target_radius": 5,
    "spurious_radius": 5,
    "background_radius": 5,
}
CLASS_NAMES = ("no circle", "navy circle")
N_SHOWN = 7
LOG_WIDTH = 110


class Result(NamedTuple):
    """One row of the demo's table, and its model."""

    name: str
    model: Any
    auroc: float
    balanced_accuracy: float
    seconds: float


def run(
    output: pathlib.Path = pathlib.Path("segclf-demo.png"),
    *,
    seed: int = 0,
    encoder: str = "auto",
    max_epochs: int | str = "auto",
) -> list[Result]:
    """Train both ways on the same images, print a table, and draw a picture.

    Parameters
    ----------
    output : path
        Where to write the picture: PNG, or another type given by the suffix.
    seed : int
        Decides the images and the training.
    encoder : str
        Encoder of both models.
    max_epochs : int or "auto"
        Passes over the training images, for both models.

    Returns
    -------
    list of Result
        The table.

    Raises
    ------
    SystemExit
        If matplotlib or rich is missing.
    """
    _check_extras()
    _widen_logs()
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    train, test = _split(make_shapes(N_TRAIN + N_TEST, **SCENE, random_state=seed))
    print(
        f"Is there a {CLASS_NAMES[1]}? {N_TRAIN} images of 96 x 96 to learn it from, {N_TEST} to "
        "test it on.\n",
        flush=True,
    )
    models = _models(seed, encoder=encoder, max_epochs=max_epochs)
    results = [_result(name, model, train, test) for name, model in models.items()]
    print(f"\n{_table(results)}\n\n{_choices(results)}\n")
    _draw(results, test, output)
    print(f"Test images as both models see them: {output.resolve()}")
    return results


def _check_extras() -> None:
    missing = [name for name in ("matplotlib", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"The demo needs {' and '.join(missing)}: pip install 'segclf[plot]'")


def _widen_logs() -> None:
    """Make room for whole progress bars if there is no terminal, which would have a width."""
    import rich

    if not rich.get_console().is_terminal:
        rich.reconfigure(width=LOG_WIDTH)


def _split(shapes: Bunch) -> tuple[Bunch, Bunch]:
    parts = (slice(0, N_TRAIN), slice(N_TRAIN, None))
    train, test = (
        Bunch(**{name: shapes[name][part] for name in ("images", "target", "masks")})
        for part in parts
    )
    return train, test


def _models(seed: int, **settings: Any) -> dict[str, Any]:
    """Return both models with their defaults, except for settings that were given."""
    given = {name: value for name, value in settings.items() if value != "auto"}
    segmenter = SupervisedSegmenter(**given) if given else None
    return {
        "SegmentationClassifier": SegmentationClassifier(segmenter=segmenter, random_state=seed),
        "ImageClassifier": ImageClassifier(**given, random_state=seed),
    }


def _result(name: str, model: Any, train: Bunch, test: Bunch) -> Result:
    started = time.perf_counter()
    model.set_callbacks(ProgressBar()).fit(train.images, train.target, masks=train.masks)
    seconds = time.perf_counter() - started
    scores = model.predict_proba(test.images)
    return Result(
        name=name,
        model=model,
        auroc=roc_auc_score(test.target, scores[:, 1]),
        balanced_accuracy=balanced_accuracy_score(test.target, scores.argmax(axis=1)),
        seconds=seconds,
    )


def _table(results: list[Result]) -> str:
    lines = [f"{'':<24}{'AUROC':>8}{'balanced accuracy':>20}{'seconds':>10}"]
    for name, _, auroc, accuracy, seconds in results:
        lines.append(f"{name:<24}{auroc:>8.2f}{accuracy:>20.2f}{seconds:>10.0f}")
    return "\n".join(lines)


def _choices(results: list[Result]) -> str:
    """Describe the settings that the data decided."""
    lines = []
    for name, model, *_ in results:
        chosen = getattr(model, "segmenter_", model).chosen_
        settings = ", ".join(f"{setting}={value!r}" for setting, value in chosen.items())
        lines.append(
            textwrap.fill(f"Chosen by {name}: {settings}", LOG_WIDTH, subsequent_indent="  ")
        )
    return "\n".join(lines)


def _draw(results: list[Result], test: Bunch, output: pathlib.Path) -> None:
    titles = {
        f"{name}: AUROC {auroc:.2f}, balanced accuracy {accuracy:.2f}": model
        for name, model, auroc, accuracy, _ in results
    }
    display = ComparisonDisplay.from_estimators(
        titles,
        test.images,
        test.target,
        masks=test.masks,
        class_names=CLASS_NAMES,
        n_images=N_SHOWN,
    )
    picture = io.BytesIO()
    display.figure_.savefig(picture, dpi=100, format=output.suffix[1:] or "png")
    atomic_write(output, picture.getvalue())
