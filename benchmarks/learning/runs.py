"""The runs of ``benchmarks.learning``: train one side, evaluate it, record the result."""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segclf_plugins.thresholders import OtsuThresholder
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from torch import Tensor, nn

from benchmarks.learning.references import REFERENCES, Reference
from benchmarks.learning.settings import make_pretrainer
from benchmarks.learning.textures import make_textures
from benchmarks.shared.records import records
from segclf.data import Augment, as_views
from segclf.metrics import mean_iou
from segclf.networks import classification_network
from segclf.objectives import CollapseWarning
from segclf.training.optimizers import make_optimizer
from segclf.training.schedules import get_schedule

Task = tuple[str, str, int]  # method, side, seed
SIDES = ("untrained", "plain loop", "ours")
Images = NDArray[np.uint8]
Transform = Callable[[Images], NDArray[np.float32]]


def run(task: Task, options: argparse.Namespace) -> None:
    method, side, seed = task
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        scores = measure(method, side, seed, options.setting, options.device)
    records(options).write(task, scores, time.perf_counter() - started)


def measure(
    method: str, side: str, seed: int, setting: dict[str, Any], device: str
) -> dict[str, float]:
    """Return the score of one side, and the mean loss of the first and last tenth of its steps."""
    images, _ = make_textures(setting["n_images"], seed)
    judge = JUDGES.get(method, probe)
    if side == "plain loop":
        network, losses = train_reference(method, images, setting, seed, device)
        return {"score": judge(network, setting, seed), **ends(losses)}
    others = untrained(method) if side == "untrained" else {}
    pretrainer = make_pretrainer(method, setting, seed, device=device, **others).fit(images)
    losses = pretrainer.history_["loss"].tolist()
    return {"score": judge(pretrainer, setting, seed), **ends(losses)}


def untrained(method: str) -> dict[str, Any]:
    """Return settings with which normalizations see the images once and weights do not change."""
    still = {"learning_rate": 1e-12, "weight_decay": 0.0, "max_epochs": 1}
    return still | ({"final_weight_decay": 0.0, "momentum": 1.0} if method == "DINO" else {})


def ends(losses: list[float]) -> dict[str, float]:
    tenth = max(1, len(losses) // 10)
    first, last = np.mean(losses[:tenth]), np.mean(losses[-tenth:])
    return {"first_loss": float(first), "last_loss": float(last)}


def flat_loss(method: str, setting: dict[str, Any], seed: int) -> float:
    """Return the loss of a reconstruction of each image by its own mean."""
    images = make_textures(setting["n_images"], seed)[0].astype(float)
    off = (images - images.mean(axis=(1, 2), keepdims=True)) / images.std()
    return float((off**2).mean() if method == "MAE" else np.abs(off).mean())


def probe(embedder: Any, setting: dict[str, Any], seed: int) -> float:
    """Return the accuracy of a linear classifier on embeddings of other textures."""
    transform = embedder.transform if hasattr(embedder, "transform") else embed(embedder)
    return accuracy(transform, setting, seed)


def accuracy(transform: Transform, setting: dict[str, Any], seed: int) -> float:
    (X, y), (X_test, y_test) = (
        make_textures(setting["n_labeled"], 1000 * part + seed) for part in (1, 2)
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(classifier.fit(transform(X), y).score(transform(X_test), y_test))


def embed(network: nn.Module, embedding: Callable[[Tensor], Tensor] | None = None) -> Transform:
    """Return a function of images that gives a network's embeddings, or another embedding of it."""
    device = next(network.parameters()).device
    embedding = embedding or network

    @torch.no_grad()
    def transform(images: Images) -> NDArray[np.float32]:
        network.eval()
        embedded = [embedding(part.to(device)).cpu() for part in tensor(images).split(64)]
        return torch.cat(embedded).numpy()

    return transform


def probe_patch(embedder: Any, setting: dict[str, Any], seed: int) -> float:
    """Return the accuracy of a linear classifier on the token of one patch in the middle.

    A patch of 4 x 4 pixels does not show its texture, so its token must use the surroundings, as
    reconstruction requires.
    """
    network = getattr(embedder, "network_", embedder)
    vit = network.encoder
    rows, columns = vit.patch_embed.grid_size
    middle = vit.num_prefix_tokens + rows // 2 * columns + columns // 2

    def token(image: Tensor) -> Tensor:
        tokens: Tensor = vit.forward_features(network.prepare(image))
        return tokens[:, middle]

    return accuracy(embed(network, token), setting, seed)


def overlap(pretrainer: Any, setting: dict[str, Any], seed: int) -> float:
    """Return the IoU of predicted masks with Otsu's, of other textures."""
    X, _ = make_textures(setting["n_labeled"], 2000 + seed)
    masks = OtsuThresholder().transform(X).astype(np.uint8)
    return mean_iou(masks, pretrainer.predict(X), n_classes=2)


JUDGES = {"Otsu": overlap, "MAE": probe_patch, "SimMIM": probe_patch}


def train_reference(
    method: str, images: Images, setting: dict[str, Any], seed: int, device: str
) -> tuple[nn.Module, list[float]]:
    """Train lightly's modules in a plain loop; return the network and its losses."""
    parameters = {**setting["methods"][method], "batch": setting["batch"]}
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    pretrainer = make_pretrainer(method, setting, seed)
    torch.manual_seed(check_random_state(seed).randint(np.iinfo(np.int32).max))  # the pretrainer's
    torch.set_num_threads(1)
    network = classification_network(
        encoder=parameters.get("encoder") or parameters["cnn"], in_channels=1, n_classes=0
    )
    pixels = tensor(images)
    network.set_statistics([float(pixels.mean())], [float(pixels.std())])
    reference = REFERENCES[method](network, parameters).to(device).train()
    views = as_views(pretrainer.augmentation, pretrainer._make_views())
    losses = list(learn(reference, pixels.to(device), views, setting))
    return reference.kept, losses


def learn(
    reference: Reference, pixels: Tensor, views: tuple[Augment, ...], setting: dict[str, Any]
) -> Iterator[float]:
    """Yield the loss of each step."""
    p = reference.p
    trained = [{"params": [each for each in reference.parameters() if each.requires_grad]}]
    optimizer = make_optimizer(
        p["optimizer"], trained, learning_rate=p["learning_rate"], weight_decay=p["weight_decay"]
    )
    schedule = get_schedule(p["schedule"])
    generator = torch.Generator().manual_seed(0)
    for step, batch in enumerate(batches(pixels, setting)):
        done = step / setting["steps"]
        for group in optimizer.param_groups:
            group["lr"] = p["learning_rate"] * schedule(done)
        reference.step(done)
        loss = reference.loss([view(batch, None, generator)[0] for view in views], done)
        optimizer.zero_grad()
        loss.backward()
        reference.before_update(done)
        optimizer.step()
        yield loss.item()


def batches(pixels: Tensor, setting: dict[str, Any]) -> Iterator[Tensor]:
    """Yield batches of whole shuffled epochs, one for each step."""
    left = setting["steps"]
    while left > 0:
        for rows in torch.randperm(len(pixels)).split(setting["batch"])[:left]:
            yield pixels[rows]
        left -= len(pixels) // setting["batch"]


def tensor(images: Images) -> Tensor:
    """Return gray images (n, h, w) as the network takes them, (n, 1, h, w) from 0 to 1."""
    return torch.from_numpy(images).float()[:, None] / 255
