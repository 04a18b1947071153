"""The runs of ``benchmarks.pretraining``: pretrain, fine-tune, score, and record.

This is a separate module so that worker processes keep the data that they read.
"""

import argparse
import copy
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from segclf_plugins.thresholders import OtsuThresholder
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import segclf
from benchmarks.pretraining.settings import (
    CLASSIFIER,
    PRETRAINERS,
    SEGMENTER,
    decoder,
    fine_tuning,
    make_pretrainer,
)
from benchmarks.shared.real_sets import load_rgb, sample
from benchmarks.shared.records import records
from segclf import ImageClassifier, OtsuPretrainer, SupervisedSegmenter
from segclf.metrics import best_thresholds, mean_iou
from segclf.networks import PairNetwork, classification_network, transfer
from segclf.objectives import CollapseWarning

Task = tuple[str, int, str, str, Any]  # data set, seed, start, what, fraction or network
LABEL_TASKS = ("linear probe", "fine-tuned")
END_TO_END = "Otsu, end to end"  # the only start with a trained decoder


def run_chain(chain: list[Task], options: argparse.Namespace) -> None:
    """Do the tasks that share a pretraining, one after the other."""
    for task in chain:
        name, seed, start, what, detail = task
        data = load_rgb(options.data / name, options.setting["size"], options.test_cap)
        encoder = detail if what in LABEL_TASKS else options.parts[options.segmenter]
        pretrainer = pretrained(start, data, encoder, name=name, seed=seed, options=options)
        started = time.process_time()
        scores = measure(pretrainer, data, task, options)
        records(options).write(task, scores, time.process_time() - started)


def measure(
    pretrainer: Any, data: dict[str, Any], task: Task, options: argparse.Namespace
) -> dict[str, Any]:
    _, seed, start, what, fraction = task
    if what == "baselines":
        return score_baselines(data, seed, options)
    if what == "no masks" and start == END_TO_END:
        return score_alone(pretrainer, data)
    if what == "no masks":
        return score_untrained(pretrainer, data, seed, options)
    if what == "masks":
        return segment(pretrainer, data, fraction, seed, options)
    return classify(pretrainer, data, task, options)


def segment(
    pretrainer: Any, data: dict[str, Any], fraction: float, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Train the segmenter on some of the masks; score it on the test split."""
    train = sample(data, fraction, seed)
    segmenter = make_segmenter(pretrainer, len(train), seed, options)
    segmenter.fit(data["images"][train], [data["masks"][i] for i in train])
    return {"n_train": len(train), **score_alone(segmenter, data)}


def make_segmenter(
    pretrainer: Any, n_images: int, seed: int, options: argparse.Namespace
) -> SupervisedSegmenter:
    encoder = options.parts[options.segmenter]
    return SupervisedSegmenter(
        encoder=encoder,
        pretrainer=None if pretrainer is None else FrozenEstimator(pretrainer),
        **SEGMENTER,
        **decoder(encoder, options.setting),
        **fine_tuning(options.setting, n_images=n_images, seed=seed),
    )


def score_untrained(
    pretrainer: Any, data: dict[str, Any], seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Score a random decoder, at the threshold and polarity that fit the fewest masks best."""
    train = sample(data, min(options.fractions), seed)
    images, masks = data["images"][train], [data["masks"][i] for i in train]
    segmenter = make_segmenter(pretrainer, len(train), seed, options)
    segmenter.set_params(learning_rate=1e-12, weight_decay=0.0).fit(images, masks)

    test = np.flatnonzero(data["split"] == "test")
    on_train, on_test = (
        segmenter.predict_proba(each)[:, 1:2] for each in (images, data["images"][test])
    )

    def cut(maps: np.ndarray, sign: int) -> np.ndarray:
        grid = np.unique(np.quantile(sign * on_train, np.linspace(0, 1, 101)))
        threshold = best_thresholds(masks, sign * on_train, grid=grid)[0]
        return (sign * maps[:, 0] > threshold).astype(np.uint8)

    sign = max((1, -1), key=lambda sign: mean_iou(masks, cut(on_train, sign), n_classes=2))
    return overlap(cut(on_test, sign), data, test)


def score_alone(segmenter: Any, data: dict[str, Any]) -> dict[str, float]:
    test = np.flatnonzero(data["split"] == "test")
    return overlap(segmenter.predict(data["images"][test]), data, test)


def score_baselines(
    data: dict[str, Any], seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Score masks that need no training; only Otsu's polarity depends on the seed."""
    test = np.flatnonzero(data["split"] == "test")
    masks = np.stack([data["masks"][i] for i in test])
    thresholder = otsu(data, seed, options)
    baselines = {
        "all foreground": np.ones_like(masks),
        "all background": np.zeros_like(masks),
        "Otsu's threshold": thresholder.transform(data["images"][test]).astype(np.uint8),
    }
    scores = {name: overlap(predicted, data, test) for name, predicted in baselines.items()}
    return {**scores, "polarity": thresholder.polarity}


def overlap(predicted: Any, data: dict[str, Any], indices: np.ndarray) -> dict[str, float]:
    """Return the IoU of all pixels together, and the mean over images that show something."""
    masks = [data["masks"][i] for i in indices]
    return {
        "iou": mean_iou(masks, predicted, n_classes=2),
        "iou_per_image": mean_iou(
            *zip(
                *[pair for pair in zip(masks, predicted, strict=True) if pair[0].any()], strict=True
            ),
            n_classes=2,
            per_image=True,
        ),
    }


def classify(
    pretrainer: Any, data: dict[str, Any], task: Task, options: argparse.Namespace
) -> dict[str, float]:
    """Train a classifier on some of the labels; score it on the test split."""
    _, seed, start, what, encoder = task
    train = sample(data, options.label_fraction, seed, by="classes")
    test = np.flatnonzero(data["split"] == "test")
    if what == "linear probe":
        embedding = untrained(encoder, data, seed, options) if start == "scratch" else pretrainer
        classifier = make_pipeline(
            FrozenEstimator(embedding),
            StandardScaler(),
            LogisticRegression(class_weight="balanced", max_iter=5000),
        )
    else:
        classifier = ImageClassifier(
            encoder=encoder,
            pretrainer=None if pretrainer is None else FrozenEstimator(pretrainer),
            **CLASSIFIER,
            **fine_tuning(options.setting, n_images=len(train), seed=seed),
        )
    classifier.fit(data["images"][train], data["classes"][train])
    found = classifier.predict(data["images"][test])
    f1 = f1_score(data["classes"][test], found, average="macro")
    return {"n_train": len(train), "f1": float(f1)}


def pretrained(
    start: str,
    data: dict[str, Any],
    encoder: str,
    *,
    name: str,
    seed: int,
    options: argparse.Namespace,
) -> Any:
    """Return the pretrained network of a method, from its file if it exists."""
    method, _, part = start.partition(", ")
    if method not in PRETRAINERS:
        return None
    networks = "both" if method == "CASS" else encoder
    task = (name, seed, method, "pretraining", networks)
    path = (
        options.pretrained / records(options).run / f"{name}-{method}-{networks}-{seed}.safetensors"
    )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pretrain(task, data, encoder, path, options)
    pretrainer = segclf.load(path)
    if isinstance(pretrainer.network_, PairNetwork):
        pair = pretrainer.network_
        pretrainer.network_ = pair.cnn if encoder == options.parts["cnn"] else pair.transformer
    return encoder_alone(pretrainer) if part == "encoder" else pretrainer


def pretrain(
    task: Task, data: dict[str, Any], encoder: str, path: Path, options: argparse.Namespace
) -> None:
    _, seed, method, *_ = task
    train = np.random.default_rng(seed).permutation(np.flatnonzero(data["split"] == "train"))
    images = data["images"][np.sort(train[: options.setting["cap"]])]
    others = {"thresholder": otsu(data, seed, options)} if method == "Otsu" else {}
    pretrainer = make_pretrainer(
        method, encoder, options.setting, n_images=len(images), seed=seed, **others
    )
    started = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        pretrainer.fit(images)
    seconds = time.process_time() - started
    segclf.save(pretrainer, path)
    n_collapsed = sum(issubclass(warning.category, CollapseWarning) for warning in caught)
    joint = "embedding_std" in pretrainer.history_
    scores = {
        "n_images": len(images),
        "n_epochs": pretrainer.n_iter_,
        "collapsed": n_collapsed / pretrainer.n_iter_ if joint else None,
    }
    records(options).write(task, scores, seconds)


def encoder_alone(pretrainer: OtsuPretrainer) -> OtsuPretrainer:
    """Drop the decoder: both values of `train` train the same, and differ by what is kept."""
    network = classification_network(encoder=pretrainer.network_.recipe["encoder"], n_classes=0)
    transfer(pretrainer.network_, network)
    alone = copy.copy(pretrainer).set_params(train="encoder")
    alone.network_ = network
    return alone


def untrained(encoder: str, data: dict[str, Any], seed: int, options: argparse.Namespace) -> Any:
    """Return a fitted pretrainer whose network still has its random weights.

    A rate of 1e-12 does not change them, but the statistics of normalizations are computed.
    """
    setting = options.setting | {"images_seen": 10 * options.setting["pretraining_batch"]}
    images = data["images"][data["split"] == "train"][: setting["pretraining_batch"]]
    pretrainer = make_pretrainer("SimSiam", encoder, setting, n_images=len(images), seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        return pretrainer.set_params(learning_rate=1e-12, weight_decay=0.0).fit(images)


def otsu(data: dict[str, Any], seed: int, options: argparse.Namespace) -> OtsuThresholder:
    """Return Otsu's threshold with the polarity that fits the fewest masks of training best."""
    train = sample(data, min(options.fractions), seed)
    masks = [data["masks"][i] for i in train]

    def fits(thresholder: OtsuThresholder) -> float:
        predicted = thresholder.transform(data["images"][train]).astype(np.uint8)
        return mean_iou(masks, predicted, n_classes=2)

    return max((OtsuThresholder(polarity=p) for p in ("bright", "dark", "auto")), key=fits)
