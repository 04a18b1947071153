"""Methods that pull views of an image together share this: they watch for collapse."""

import math
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from segclf.objectives.objective import Objective

# As a share of 1 / sqrt(d); below it, embeddings of different images are almost equal.
COLLAPSED = 0.1


class CollapseWarning(UserWarning):
    """The embeddings of all images have become almost equal."""


class JointEmbedding(Objective):
    """An objective whose ``forward`` passes its embeddings to :meth:`watch`.

    The history then has a column ``embedding_std``: the standard deviation over a batch of each
    dimension of the embeddings, scaled to length 1, averaged over the dimensions. It is about 1 /
    sqrt(d) if embeddings spread in all directions and 0 if all are equal (Chen and He, "Exploring
    simple Siamese representation learning", CVPR 2021, section 4.1). An epoch below a tenth of 1 /
    sqrt(d) gives a :class:`CollapseWarning`.

    Examples
    --------
    >>> import torch
    >>> from segclf.objectives import JointEmbedding
    >>> class Spread(JointEmbedding):
    ...     def forward(self, batch, progress):
    ...         self.watch(batch["embedding"])
    ...         return {"spread": batch["embedding"].std()}
    >>> objective = Spread()
    >>> _ = objective({"embedding": torch.eye(4)}, None)
    >>> objective.measures()
    {'embedding_std': tensor(0.4330)}
    """

    embedding_std: Tensor
    n_dimensions: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("embedding_std", torch.zeros(()), persistent=False)
        self.register_buffer("n_dimensions", torch.ones(()), persistent=False)

    @torch.no_grad()
    def watch(self, embedding: Tensor) -> None:
        """Measure embeddings (n, d), or those of k networks, (k, n, d), by the smallest spread."""
        self.n_dimensions.fill_(embedding.shape[-1])
        unit = functional.normalize(embedding.float(), dim=-1)
        self.embedding_std = unit.std(dim=-2, correction=0).mean(-1).min()

    def measures(self) -> dict[str, Tensor]:
        """Return ``embedding_std``."""
        return {"embedding_std": self.embedding_std}

    def after_epoch(self, row: Mapping[str, float]) -> None:
        """Warn if the epoch's embeddings collapsed."""
        healthy = 1 / math.sqrt(self.n_dimensions)
        if row["embedding_std"] < COLLAPSED * healthy:
            warnings.warn(
                f"Collapse in epoch {int(row['epoch'])} of {type(self).__name__}: the embeddings "
                f"of all images are almost equal. embedding_std is {row['embedding_std']:.2g}, "
                f"about {healthy:.2g} when healthy. Check that the images have contrast; else try "
                "a lower learning_rate, larger batches, or this method's parameters against it.",
                CollapseWarning,
                stacklevel=2,
            )
