"""The sides of loop_overhead.py: the same work by hand, by segclf, by skorch, by a tutorial."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from sklearn.callback import with_callbacks
from skorch import NeuralNetClassifier
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from segclf import SupervisedSegmenter
from segclf.base import NetworkEstimator
from segclf.data import Samples
from segclf.datasets import make_shapes
from segclf.losses import get_loss
from segclf.networks import segmentation_network
from segclf.objectives import Batch, Objective, Progress

Runs = dict[str, Callable[[], object]]


class BatchSides:
    """A linear network on 1,024 gray images of 14 x 14, so small that the loop is what is timed."""

    batch_size = 16
    learning_rate = 1e-3

    def __init__(self, n_epochs: int) -> None:
        generator = np.random.default_rng(0)
        self.images = generator.random((1024, 14, 14), dtype=np.float32)
        self.targets = generator.integers(0, 2, 1024)
        self.n_epochs = n_epochs
        self.n_batches = n_epochs * len(self.images) // self.batch_size

    def runs(self) -> Runs:
        return {
            "by hand": self.by_hand,
            "segclf": self.segclf,
            "skorch, callbacks disabled": partial(self.skorch, callbacks="disable"),
            "skorch": self.skorch,
        }

    def by_hand(self) -> None:
        images, targets = self._tensors()
        network = linear_network()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        for _ in range(self.n_epochs):
            for chosen in torch.randperm(len(images)).split(self.batch_size):
                functional.cross_entropy(network(images[chosen]), targets[chosen]).backward()
                optimizer.step()
                optimizer.zero_grad()

    def segclf(self) -> None:
        LinearEstimator(
            max_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            n_threads=torch.get_num_threads(),
        ).fit(self.images, self.targets)

    def skorch(self, **options: Any) -> None:
        NeuralNetClassifier(
            linear_network(),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            optimizer__fused=True,
            lr=self.learning_rate,
            max_epochs=self.n_epochs,
            batch_size=self.batch_size,
            iterator_train__shuffle=True,
            train_split=None,  # no side holds images out
            verbose=0,
            **options,
        ).fit(*self._tensors())

    def _tensors(self) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(self.images[:, None])
        return images, torch.from_numpy(self.targets)


class LinearEstimator(NetworkEstimator):
    """The least estimator of ours: everything that a fit does, around a linear network."""

    @with_callbacks
    def fit(self, X: Any, y: NDArray[np.int64]) -> "LinearEstimator":
        self._learn(Samples(images=self._open(X), targets=y))
        return self

    def _make_objective(self, samples: Samples) -> Objective:
        return CrossEntropy(linear_network())


class CrossEntropy(Objective):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        return {"loss": functional.cross_entropy(self.network(batch["image"]), batch["target"])}


def linear_network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(14 * 14, 2))


class FitSides:
    """`SupervisedSegmenter.fit`, and what somebody who knows torch well writes instead."""

    batch_size = 16
    learning_rate = 1e-4

    def __init__(self, options: argparse.Namespace) -> None:
        self.shapes = make_shapes(options.fit_images, image_size=options.image_size, random_state=0)
        self.architecture, self.encoder = options.architecture, options.encoder
        self.n_epochs, self.n_threads = options.fit_epochs, options.threads
        self.n_batches = self.n_epochs * -(-options.fit_images // self.batch_size)
        self.precision = "fp32"

    def segclf(self) -> None:
        segmenter = SupervisedSegmenter(
            architecture=self.architecture,
            encoder=self.encoder,
            max_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            n_threads=self.n_threads,
            random_state=0,
        )
        self.precision = segmenter.fit(self.shapes.images, self.shapes.masks).precision_

    def by_hand(self, precision: str) -> None:
        images = torch.from_numpy(self.shapes.images).permute(0, 3, 1, 2).float() / 255
        masks = torch.from_numpy(self.shapes.masks).long()
        network = segmentation_network(architecture=self.architecture, encoder=self.encoder)
        network = network.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        loss = get_loss("dice_cross_entropy")
        for _ in range(self.n_epochs):
            for chosen in torch.randperm(len(images)).split(self.batch_size):
                batch = images[chosen].contiguous(memory_format=torch.channels_last)
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                    value = loss(network(batch), masks[chosen])
                value.backward()
                optimizer.step()
                optimizer.zero_grad()


class TutorialSides:
    """`fit` and `predict` as they come, and the script that tutorials teach.

    Both let the learning rate fall to 0: after a few epochs at a constant one, the running
    statistics of batch normalization lag behind the weights, and the Dice of either side is a draw.
    """

    batch_size = 16
    learning_rate = 1e-3

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        n_samples = options.n_train + options.n_test
        shapes = make_shapes(n_samples, image_size=options.image_size, random_state=seed)
        self.train_images, self.test_images = np.split(shapes.images, [options.n_train])
        self.train_masks, self.test_masks = np.split(shapes.masks, [options.n_train])
        self.n_epochs = options.epochs
        torch.manual_seed(seed)
        self.network = smp.create_model(
            options.architecture, options.encoder, encoder_weights=None, classes=2
        )
        self.segmenter = SupervisedSegmenter(
            architecture=options.architecture,
            encoder=options.encoder,
            max_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
            n_threads=options.threads,
            random_state=seed,
        )
        self.predicted: dict[str, NDArray[Any]] = {}

    @property
    def precision(self) -> str:
        return self.segmenter.precision_

    def training(self) -> Runs:
        fit = partial(self.segmenter.fit, self.train_images, self.train_masks)
        return {"tutorial": self._train, "segclf": fit}

    def prediction(self) -> Runs:
        return {"tutorial": self._predict, "segclf": self._predict_ours}

    def dice(self) -> dict[str, float]:
        """Dice of the target over all test pixels."""
        return {
            name: 2 * (masks & self.test_masks).sum() / (masks.sum() + self.test_masks.sum())
            for name, masks in self.predicted.items()
        }

    def _train(self) -> None:
        loader = self._loader(self.train_images, self.train_masks, shuffle=True)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.learning_rate)
        n_steps = self.n_epochs * len(loader)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        self.network.train()
        for _ in range(self.n_epochs):
            running_loss = 0.0
            for images, masks in loader:
                optimizer.zero_grad()
                logits = self.network(images)
                loss = functional.cross_entropy(logits, masks) + soft_dice(logits, masks)
                loss.backward()
                optimizer.step()
                schedule.step()
                running_loss += loss.item()

    def _predict(self) -> None:
        loader = self._loader(self.test_images, self.test_masks, shuffle=False)
        self.network.eval()
        with torch.no_grad():
            masks = [self.network(images).argmax(1) for images, _ in loader]
        self.predicted["tutorial"] = torch.cat(masks).numpy().astype(np.uint8)

    def _predict_ours(self) -> None:
        self.predicted["segclf"] = self.segmenter.predict(self.test_images)

    def _loader(
        self, images: NDArray[Any], masks: NDArray[Any], *, shuffle: bool
    ) -> DataLoader[Any]:
        dataset = Shapes(images, masks)
        return DataLoader(dataset, batch_size=self.batch_size, shuffle=shuffle, num_workers=2)


class Shapes(Dataset[Any]):
    def __init__(self, images: NDArray[Any], masks: NDArray[Any]) -> None:
        self.images, self.masks = images, masks

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).float() / 255
        return image, torch.from_numpy(self.masks[index]).long()


def soft_dice(logits: Tensor, masks: Tensor) -> Tensor:
    probability = logits.softmax(1)[:, 1]
    overlap = (probability * masks).sum()
    return 1 - (2 * overlap + 1) / (probability.sum() + masks.sum() + 1)
