"""The runs of ``benchmarks.pretraining.probes``: pretrain, evaluate in three ways, record."""

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import interpolate

import segclf
from benchmarks.pretraining.mini_vit import MINI_VIT
from benchmarks.pretraining.runs import encoder_alone, overlap
from benchmarks.pretraining.settings import (
    FINE_TUNING,
    PRETRAINERS,
    PRETRAINING,
    SEGMENTER,
    SMALL_METHODS,
)
from benchmarks.shared.real_sets import findings, load_rgb, sample
from benchmarks.shared.records import records
from segclf import SupervisedSegmenter
from segclf.networks import (
    PairNetwork,
    SegmentationNetwork,
    classification_network,
    segmentation_network,
    transfer,
)
from segclf.objectives import CollapseWarning

Task = tuple[str, int, str, str, str, str]  # data set, seed, encoder, start, method, judge
JUDGES = ("pixel probe", "linear probe", "fine-tuned")
METHODS = {
    "cnn": ["none", "SimSiam", "BYOL", "MoCo", "DINO", "CASS", "SimMIM", "Otsu"],
    "vit": ["none", "DINO", "MAE", "SimMIM"],
}
ENCODERS = {"cnn": "tf_efficientnet_lite0", "vit": MINI_VIT}
# Heads that have nothing but the encoder's maps to read.
ARCHITECTURES = {"cnn": "fpn", "vit": "hypercolumn"}
CONTINUED_RATE = 1e-4  # of pretraining on from ImageNet; from scratch it is PRETRAINING's
PIXELS_OF_AN_IMAGE = 256

PROBE_SETTINGS: dict[str, dict[str, Any]] = {
    "long": {
        "size": 64,
        "cap": 4000,
        "steps": 2000,
        "batch": 64,
        "fine_tuning_steps": 300,
        "test_cap": None,
        "encoders": {"cnn": ["scratch", "imagenet"], "vit": ["scratch"]},
    },
}
PROBE_SETTINGS["smoke"] = PROBE_SETTINGS["long"] | {
    "size": 32,
    "cap": 32,
    "steps": 2,
    "batch": 16,
    "fine_tuning_steps": 2,
    "test_cap": 40,
}


def run_chain(chain: list[Task], options: argparse.Namespace) -> None:
    """Do the tasks that share a pretraining, one after the other."""
    name, *_ = chain[0]
    data = load_rgb(options.data / name, options.setting["size"], options.setting["test_cap"])
    pretrainer = pretrained(chain[0], data, options)
    for task in chain:
        started = time.perf_counter()
        judge = {"pixel probe": probe_pixels, "linear probe": probe_images}.get(task[5], fine_tune)
        scores = judge(pretrainer, data, task, options)
        records(options).write(task, scores, time.perf_counter() - started)


def pretrained(task: Task, data: dict[str, Any], options: argparse.Namespace) -> Any:
    """Return the pretrained network of a method, from its file if it exists."""
    path = (
        options.pretrained / records(options).run / ("-".join(map(str, task[:5])) + ".safetensors")
    )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pretrainer = pretrain(task, data, options)
        if task[4] == "Otsu":
            pretrainer = encoder_alone(pretrainer)
        segclf.save(pretrainer, path)
    pretrainer = segclf.load(path)
    if isinstance(pretrainer.network_, PairNetwork):
        pretrainer.network_ = pretrainer.network_.cnn
    return pretrainer


def pretrain(task: Task, data: dict[str, Any], options: argparse.Namespace) -> Any:
    _, seed, encoder, start, method, _ = task
    setting = options.setting
    train = np.random.default_rng(seed).permutation(np.flatnonzero(data["split"] == "train"))
    images = data["images"][np.sort(train[: setting["cap"]])]
    weights = "imagenet" if start == "imagenet" else None
    if method == "none":
        return untouched(images, encoder, weights, seed, options)
    parameters = {**PRETRAINING, **SMALL_METHODS[method], **networks(method, encoder, weights)}
    if start == "imagenet":
        parameters["learning_rate"] = CONTINUED_RATE
    pretrainer = PRETRAINERS[method](
        **parameters,
        **budget(len(images), setting["steps"], setting["batch"]),
        device=options.device,
        n_threads=1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        return pretrainer.fit(images)


def budget(n_images: int, n_steps: int, batch: int) -> dict[str, Any]:
    """Return whole epochs of about so many steps; no batch is of one image."""
    batch = min(batch, n_images)
    if n_images % batch == 1:
        batch -= 1
    return {"batch_size": batch, "max_epochs": max(1, round(n_steps / -(-n_images // batch)))}


def networks(method: str, encoder: str, weights: str | None) -> dict[str, Any]:
    if method == "CASS":
        return {"cnn": ENCODERS["cnn"], "transformer": MINI_VIT, "cnn_weights": weights}
    others = {"architecture": "unet", "train": "end_to_end"} if method == "Otsu" else {}
    return {"encoder": ENCODERS[encoder], "encoder_weights": weights, **others}


def untouched(
    images: NDArray[Any], encoder: str, weights: str | None, seed: int, options: argparse.Namespace
) -> Any:
    """Return a fitted pretrainer whose encoder is the start itself.

    From scratch, normalizations have seen the images; the weights of ImageNet have statistics.
    """
    pretrainer = PRETRAINERS["SimSiam"](
        **PRETRAINING | {"learning_rate": 1e-12, "weight_decay": 0.0},
        **SMALL_METHODS["SimSiam"],
        **networks("none", encoder, weights),
        **budget(len(images), 10, options.setting["batch"]),
        device=options.device,
        random_state=seed,
    ).fit(images)
    if weights is not None:
        fresh = classification_network(
            encoder=ENCODERS[encoder], encoder_weights=weights, n_classes=0
        )
        pretrainer.network_.encoder.load_state_dict(fresh.encoder.state_dict())
    return pretrainer


def fine_tune(
    pretrainer: Any, data: dict[str, Any], task: Task, options: argparse.Namespace
) -> dict[str, float]:
    """Train all of a segmenter on some masks; score it, and once more without its encoder."""
    _, seed, encoder, *_ = task
    train, setting = masked_images(data, seed, options), options.setting
    segmenter = SupervisedSegmenter(
        encoder=ENCODERS[encoder],
        encoder_weights=None,
        encoder_rate=1.0,
        architecture=ARCHITECTURES[encoder],
        pretrainer=FrozenEstimator(pretrainer),
        **SEGMENTER,
        **FINE_TUNING,
        **budget(len(train), setting["fine_tuning_steps"], 8),
        device=options.device,
        n_threads=1,
        random_state=seed,
    ).fit(data["images"][train], findings(data, train))
    test = test_images(data)
    scores = overlap(segmenter.predict(data["images"][test]), foreground(data), test)
    network = segmenter.network_
    network.encoder.load_state_dict(fresh_encoder(encoder, seed).state_dict())
    at_random = overlap(segmenter.predict(data["images"][test]), foreground(data), test)
    return {"n_train": len(train), **scores, "iou_at_random": at_random["iou"]}


def fresh_encoder(encoder: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return segmentation_of(encoder).encoder


def segmentation_of(encoder: str) -> SegmentationNetwork:
    return segmentation_network(encoder=ENCODERS[encoder], architecture=ARCHITECTURES[encoder])


def probe_pixels(
    pretrainer: Any, data: dict[str, Any], task: Task, options: argparse.Namespace
) -> dict[str, float]:
    """Tell pixels apart by a linear classifier of the frozen encoder's maps."""
    _, seed, encoder, *_ = task
    train, test = masked_images(data, seed, options), test_images(data)
    network = segmentation_of(encoder)
    transfer(pretrainer.network_, network)
    maps = pixel_maps(network.eval(), data["images"][train])
    random, pixels, labels = np.random.default_rng(seed), [], []
    for each, mask in zip(maps, findings(data, train), strict=True):
        chosen = random.integers(0, mask.size, PIXELS_OF_AN_IMAGE)
        pixels.append(each.flatten(1)[:, chosen].T.numpy())
        labels.append(mask.ravel()[chosen])
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", C=0.01, max_iter=500)
    ).fit(np.concatenate(pixels), np.concatenate(labels))
    predicted = [
        classifier.predict(each.flatten(1).T.numpy()).reshape(each.shape[1:]).astype(np.uint8)
        for each in pixel_maps(network, data["images"][test])
    ]
    return {"n_train": len(train), **overlap(np.stack(predicted), foreground(data), test)}


@torch.no_grad()
def pixel_maps(network: SegmentationNetwork, images: NDArray[Any]) -> Any:
    """Yield a map (d, h, w) of each image: all encoder maps, resized to the image."""
    for image in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        _, *maps = network.features(pixels)
        grown = [interpolate(each, pixels.shape[2:], mode="bilinear") for each in maps]
        yield torch.cat(grown, dim=1)[0]


def probe_images(
    pretrainer: Any, data: dict[str, Any], task: Task, options: argparse.Namespace
) -> dict[str, float]:
    """Tell images with a finding from those without by a linear classifier of embeddings."""
    train, test = sample(data, options.share, task[1]), test_images(data)
    classifier = make_pipeline(
        FrozenEstimator(pretrainer), StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
    ).fit(data["images"][train], data["labels"][train])
    scores = classifier.predict_proba(data["images"][test])[:, 1]
    return {"n_train": len(train), "auroc": float(roc_auc_score(data["labels"][test], scores))}


def masked_images(data: dict[str, Any], seed: int, options: argparse.Namespace) -> NDArray[Any]:
    chosen = sample(data, options.share, seed)
    return np.array([i for i in chosen if data["masks"][i] is not None])


def test_images(data: dict[str, Any]) -> NDArray[Any]:
    masked = np.array([mask is not None for mask in data["masks"]])
    return np.flatnonzero((data["split"] == "test") & masked)


def foreground(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with masks of 0 and 1, without context."""
    return {**data, "masks": findings(data, np.arange(len(data["masks"])))}
