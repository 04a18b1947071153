"""The runs of ``benchmarks.semi_supervised``: learn from few masks, score, and write down.

A module of its own, so that worker processes keep the data that they read.
"""

import argparse
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from segclf_plugins.pseudo_labelers import (
    BoostedLabeler,
    GradCAMLabeler,
    IRNetLabeler,
    PretrainedLabeler,
    SelfTrainingLabeler,
)
from segclf_plugins.pseudo_labelers.irnet_boundaries import IRNetBoundaries
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

import segclf
from benchmarks.semi_supervised.settings import CLASSIFICATION, WALK_THRESHOLDS, schedule
from benchmarks.shared.real_sets import load_rgb, sample
from benchmarks.shared.records import records
from segclf import (
    CrossTeachingSegmenter,
    DistilledSegmenter,
    ImageClassifier,
    PiCIESegmenter,
    PseudoLabelSemiSupervised,
    SupervisedSegmenter,
)
from segclf.data import Sampler, TwoStreamSampler
from segclf.metrics import best_thresholds, mean_iou

Task = tuple[str, int, str, Any, Any]  # set, seed, method, share of masks, its parameter
MASKS = "masks alone"
THRESHOLDS = np.r_[0.01, 0.02, np.arange(1, 20) / 20]
SHARED = ("classifier", "irnet, labels alone", "PiCIE, no masks")


def run_shared(name: str, seed: int, tasks: list[Task], options: argparse.Namespace) -> None:
    """Do what needs no mask: a classifier and IRNet from labels, and clusters."""
    data = load_rgb(options.data / name, options.setting["size"], options.setting["test_cap"])
    train = training_images(data, seed, options)
    does = dict(zip(SHARED, (classify, walk, cluster), strict=True))
    for task in tasks:
        measured(task, options, lambda task=task: does[task[2]](data, train, task, options))


def run_chain(tasks: list[Task], options: argparse.Namespace) -> None:
    """Do all methods with the same masks, one after the other."""
    name, seed, _, fraction, _ = tasks[0]
    data = load_rgb(options.data / name, options.setting["size"], options.setting["test_cap"])
    train = training_images(data, seed, options)
    masked = np.isin(train, sample_masks(data, train, fraction, seed))
    cell = Cell(data, train, masked, name, seed, options)
    if tasks[0][2] != MASKS:
        _ = cell.teacher  # was measured before, and is no other method's to pay for
    for task in tasks:
        measured(task, options, lambda task=task: cell.score(task))


@dataclass(frozen=True, eq=False)
class Cell:
    """One data set with so many masks, drawn by one seed."""

    data: dict[str, Any]
    train: np.ndarray
    masked: np.ndarray
    name: str
    seed: int
    options: argparse.Namespace

    def score(self, task: Task) -> dict[str, Any]:
        """Train by one method, and test it."""
        _, _, method, _, probability = task
        segmenter = self.teacher if method == MASKS else self.fit(method, probability)
        pseudo = hasattr(segmenter, "transduction_")
        return {
            "n_masks": int(self.masked.sum()),
            **test(segmenter, self.data),
            **({"pseudo_iou": self.compare(segmenter)} if pseudo else {}),
        }

    @functools.cached_property
    def teacher(self) -> SupervisedSegmenter:
        """Return what masks alone teach, which is also who teaches others."""
        return self.plain().fit(self.images[self.masked], self.masks_of(self.masked))

    def fit(self, method: str, probability: float | None) -> Any:
        """Train by one of the other methods."""
        few = [m if k else None for m, k in zip(self.masks, self.masked, strict=True)]
        metadata = {"labels": self.data["labels"][self.train]}
        if method == "masks alone, twice as long":
            segmenter = self.plain(passes=2)
            return segmenter.fit(self.images[self.masked], self.masks_of(self.masked))
        if method == "distilled":
            student = self.plain(n_places=int((~self.masked).sum()))
            distilled = DistilledSegmenter(
                FrozenEstimator(self.teacher), student, temperature=probability
            )
            return distilled.fit(self.images, few)
        if method.startswith("cross teaching"):
            rising = {"consistency_weight": 0.1, "ramp_up": self.options.setting["steps"]}
            segmenter = self.cross_teaching(**(rising if method.endswith("ramp-up") else {}))
            return segmenter.fit(self.images, few, sampler=self.two_streams())
        segmenter = PseudoLabelSemiSupervised(
            self.plain(n_places=len(self.train)),
            labeler=self.labeler(method),
            expert_probability=probability,
            baseline=False,
        )
        return segmenter.fit(self.images, few, **({} if method == "self-training" else metadata))

    def plain(self, n_places: int | None = None, passes: int = 1) -> SupervisedSegmenter:
        setting = self.options.setting
        n_places = int(self.masked.sum()) if n_places is None else n_places
        return SupervisedSegmenter(
            encoder=setting["encoder"],
            encoder_weights=self.options.weights,
            decoder_channels=setting["decoder"],
            **schedule(setting, n_places=n_places, seed=self.seed, passes=passes),
        )

    def cross_teaching(self, **weight: Any) -> CrossTeachingSegmenter:
        setting = self.options.setting
        return CrossTeachingSegmenter(
            cnn=setting["encoder"],
            cnn_weights=self.options.weights,
            cnn_decoder_channels=setting["decoder"],
            transformer=setting["transformer"],
            transformer_decoder_channels=setting["decoder"],
            **weight,
            **schedule(setting, n_places=setting["steps"] * setting["batch"], seed=self.seed),
        )

    def two_streams(self) -> "Steps":
        batch = self.options.setting["batch"]
        streams = TwoStreamSampler(self.masked, batch // 2, batch - batch // 2)
        return Steps(streams, self.options.setting["steps"])

    def labeler(self, method: str) -> Any:
        if method in ("self-training", "boosted"):
            kind = {"self-training": SelfTrainingLabeler, "boosted": BoostedLabeler}[method]
            return kind(teacher=FrozenEstimator(self.teacher))
        if method == "grad_cam":
            classifier = segclf.load(weak_file(self.name, self.seed, "classifier", self.options))
            return GradCAMLabeler(
                classifier=FrozenEstimator(classifier), layer=self.options.setting["layer"]
            )
        masks = np.load(weak_file(self.name, self.seed, "irnet", self.options))["masks"]
        return PretrainedLabeler(segmenter=Remembered(self.images, max(masks, key=self.fits)))

    def fits(self, masks: np.ndarray) -> float:
        """Tell how well masks of all images fit those that are known."""
        return pseudo_iou(self.masks_of(self.masked), masks[self.masked])

    @property
    def images(self) -> np.ndarray:
        return self.data["images"][self.train]

    @functools.cached_property
    def masks(self) -> list[np.ndarray]:
        return [self.data["masks"][i] for i in self.train]

    def masks_of(self, chosen: np.ndarray) -> list[np.ndarray]:
        return [self.masks[i] for i in np.flatnonzero(chosen)]

    def compare(self, segmenter: Any) -> float:
        """Compare what a labeler drew with what an expert would have drawn there."""
        hidden = np.flatnonzero(~self.masked)
        masks = np.stack([segmenter.transduction_[i] for i in hidden])
        return pseudo_iou(self.masks_of(~self.masked), masks)


class Remembered:
    """Predicts again what was predicted before."""

    def __init__(self, images: np.ndarray, masks: np.ndarray) -> None:
        pairs = zip(images, masks, strict=True)
        self.masks = {image.tobytes(): mask for image, mask in pairs}

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return self.masks[image.tobytes()]


@dataclass(frozen=True, eq=False)
class Steps(Sampler):
    """Another sampler's epochs, one after the other, as one of so many batches."""

    epochs: Sampler
    n_batches: int

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
        batches: list[np.ndarray] = []
        while len(batches) < self.n_batches:
            batches += self.epochs.batches(batch_size, seed, len(batches))
        return batches[: self.n_batches]

    def subset(self, indices: np.ndarray) -> "Steps":
        return Steps(self.epochs.subset(indices), self.n_batches)


def classify(
    data: dict[str, Any], train: np.ndarray, task: Task, options: argparse.Namespace
) -> dict[str, Any]:
    """Train a classifier on all labels, for maps of where it looks."""
    name, seed, *_ = task
    classifier = ImageClassifier(
        encoder=options.setting["encoder"],
        encoder_weights=options.weights,
        class_weight="balanced",
        image_size=options.setting["classifier_size"],
        **schedule(options.setting, n_places=len(train), seed=seed) | CLASSIFICATION,
    )
    classifier.fit(data["images"][train], data["labels"][train])
    segclf.save(classifier, weak_file(name, seed, "classifier", options))
    tested = data["split"] == "test"
    said = classifier.predict_proba(data["images"][tested])[:, 1]
    return {"n_labels": len(train), "auroc": float(roc_auc_score(data["labels"][tested], said))}


def walk(
    data: dict[str, Any], train: np.ndarray, task: Task, options: argparse.Namespace
) -> dict[str, Any]:
    """Draw masks of the training images from labels alone, by IRNet."""
    name, seed, *_ = task
    labeler = make_irnet(segclf.load(weak_file(name, seed, "classifier", options)), seed, options)
    images, labels = data["images"][train], data["labels"][train]
    labeler.fit(images, labels=labels)
    masks = np.stack(
        [labeler.set_params(threshold=t).predict(images, labels=labels) for t in WALK_THRESHOLDS]
    )
    np.savez_compressed(weak_file(name, seed, "irnet", options), masks=masks)
    truth = [data["masks"][i] for i in train]
    scores = [pseudo_iou(truth, pseudo) for pseudo in masks]
    return {f"pseudo_iou at {t}": s for t, s in zip(WALK_THRESHOLDS, scores, strict=True)}


def make_irnet(classifier: ImageClassifier, seed: int, options: argparse.Namespace) -> IRNetLabeler:
    setting = options.setting
    boundaries = IRNetBoundaries(
        batch_size=setting["batch"], n_threads=setting["n_threads"], **setting["boundaries"]
    )
    return IRNetLabeler(
        classifier=FrozenEstimator(classifier),
        boundaries=boundaries,
        layer=setting["layer"],
        random_state=seed,
        **setting["walk"],
    )


def cluster(
    data: dict[str, Any], train: np.ndarray, task: Task, options: argparse.Namespace
) -> dict[str, Any]:
    """Cluster pixels without a mask; all masks of training name the clusters."""
    setting = options.setting
    settings = schedule(setting, n_places=len(train), seed=task[1])
    del settings["augmentation"]  # the method has its own
    segmenter = PiCIESegmenter(
        encoder=setting["encoder"],
        encoder_weights=options.weights,
        n_clusters=setting["n_clusters"],
        **settings,
    )
    segmenter.fit(data["images"][train], [data["masks"][i] for i in train])
    return test(segmenter, data)


def test(segmenter: Any, data: dict[str, Any]) -> dict[str, float]:
    """Score masks by IoU, and images by how much finding the masks show (S4C, Algorithm 2).

    As in CheXseg, the threshold is the one that makes the best masks of the validation split; how
    good masks are at one half stands beside it.
    """
    chosen = np.flatnonzero(data["split"] == "test")
    threshold = val_threshold(segmenter, data)
    maps = segmenter.predict_proba(data["images"][chosen])
    truth = [data["masks"][i] for i in chosen]
    found = (maps[:, 1] > threshold).astype(np.uint8)
    shows = np.array([mask.any() for mask in truth])
    summarizer = segclf.load_plugin("summarizer", "threshold")(threshold=threshold)
    said = summarizer.fit(maps[:2, 1:], [0, 1]).predict_proba(maps[:, 1:])[:, 1]
    positive = [truth[i] for i in np.flatnonzero(shows)]
    return {
        "iou": mean_iou(truth, found, n_classes=2),
        "iou_per_image": mean_iou(positive, found[shows], n_classes=2, per_image=True),
        "iou_at_half": mean_iou(truth, maps.argmax(1).astype(np.uint8), n_classes=2),
        "threshold": threshold,
        "auroc": float(roc_auc_score(data["labels"][chosen], said)),
    }


def val_threshold(segmenter: Any, data: dict[str, Any]) -> float:
    chosen = np.flatnonzero(data["split"] == "val")
    maps = segmenter.predict_proba(data["images"][chosen])[:, 1:]
    return float(best_thresholds([data["masks"][i] for i in chosen], maps, grid=THRESHOLDS)[0])


def pseudo_iou(truth: list[np.ndarray], masks: np.ndarray) -> float:
    """Score drawn masks, what was not committed to as background."""
    return mean_iou(truth, np.maximum(masks, 0).astype(np.uint8), n_classes=2)


def training_images(data: dict[str, Any], seed: int, options: argparse.Namespace) -> np.ndarray:
    n_train = int((data["split"] == "train").sum())
    return sample(data, min(1.0, options.setting["cap"] / n_train), seed)


def sample_masks(data: dict[str, Any], train: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draw images with a mask; with one seed, those of a smaller fraction are among them."""
    inside = {**data, "split": np.full(len(data["split"]), "left out")}
    inside["split"][train] = "train"
    return sample(inside, fraction, seed)


def measured(task: Task, options: argparse.Namespace, run: Callable[[], dict[str, Any]]) -> None:
    started = time.process_time()
    scores = run()
    records(options).write(task, scores, time.process_time() - started)


def weak_file(name: str, seed: int, what: str, options: argparse.Namespace) -> Path:
    folder = options.work / records(options).run
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{seed}-{what}.{'npz' if what == 'irnet' else 'safetensors'}"
