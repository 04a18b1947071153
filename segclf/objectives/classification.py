"""Learn the label of an image."""

from typing import Any

from torch import Tensor, nn

from segclf.losses import get_label_loss, is_mean_over_images
from segclf.objectives.objective import Batch, Objective, Progress


class Classification(Objective):
    """A classification loss on image labels.

    Parameters
    ----------
    network : nn.Module
        From images to class scores.
    loss : str or callable
        Name of the loss, or a function with the same signature; see `segclf.losses.get_label_loss`.
    class_weight : Tensor of shape (k,), optional
        Weight of each class.

    Examples
    --------
    >>> import torch
    >>> from segclf.networks import classification_network
    >>> from segclf.objectives import Classification, Progress
    >>> network = classification_network(encoder="tiny", n_classes=2, in_channels=3)
    >>> objective = Classification(network, loss="cross_entropy", class_weight=None)
    >>> batch = {"image": torch.zeros(4, 3, 16, 16), "target": torch.tensor([0, 1, 0, 1])}
    >>> list(objective(batch, Progress(0, 0, 0.0)))
    ['classification']
    """

    class_weight: Tensor | None

    def __init__(self, network: nn.Module, *, loss: Any, class_weight: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.loss = get_label_loss(loss)
        self.register_buffer("class_weight", class_weight)

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "classification"."""
        scores = self.network(batch["image"])
        loss = self.loss(
            scores,
            batch["target"],
            sample_weight=batch.get("weight"),
            class_weight=self.class_weight,
        )
        return {"classification": loss}

    def is_mean_over_images(self, batch: Batch) -> bool:
        """Tell whether the loss is a mean over images, without weights of images or classes."""
        return (
            is_mean_over_images(self.loss, batch["target"])
            and self.class_weight is None
            and "weight" not in batch
        )
