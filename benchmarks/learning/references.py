"""The same methods as plain loops around lightly's modules, as its examples write them.

Network, views, batches, optimizer and steps are those of the corresponding pretrainer; heads,
losses, masks and momentum are lightly's. DINO's gradients are clipped and its teacher is evaluated,
as in its public code; its head starts with a deviation of .02 for any size, as there. Omissions or
errors of a pretrainer then show as a difference of two numbers.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models import utils
from lightly.models.modules import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    DINOProjectionHead,
    MAEDecoderTIMM,
    MaskedVisionTransformerTIMM,
    MoCoProjectionHead,
    SimSiamPredictionHead,
    SimSiamProjectionHead,
)
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn

from segclf.networks import ClassificationNetwork, classification_network

P = dict[str, Any]
similarity = NegativeCosineSimilarity()


class Reference(nn.Module):
    """A method: its modules, and its loss for the views of a batch.

    Parameters
    ----------
    network : ClassificationNetwork
        Maps images to embeddings.
    parameters : dict
        Parameters of the corresponding pretrainer.
    """

    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__()
        self.network, self.p = network, parameters

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        raise NotImplementedError

    def step(self, done: float) -> None:
        """Update a teacher, before the loss as in lightly's examples."""

    def before_update(self, done: float) -> None:
        """Change gradients, if the method does."""

    @property
    def kept(self) -> ClassificationNetwork:
        """The network that the method keeps."""
        return self.network


class SimSiam(Reference):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__(network, parameters)
        size = parameters["projection_size"]
        self.projection = SimSiamProjectionHead(network.n_features, size, size)
        self.prediction = SimSiamPredictionHead(size, parameters["prediction_size"], size)

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        z0, z1 = (self.projection(self.network(view)) for view in views)
        p0, p1 = self.prediction(z0), self.prediction(z1)
        return 0.5 * (similarity(p0, z1.detach()) + similarity(p1, z0.detach()))


class Teacher(Reference):
    """A reference with momentum copies of network and head."""

    def __init__(
        self, network: ClassificationNetwork, parameters: P, head: Callable[[], nn.Module]
    ) -> None:
        super().__init__(network, parameters)
        self.head, self.slow, self.slow_head = head(), copy.deepcopy(network), head()
        self.slow_head.load_state_dict(self.head.state_dict())
        utils.deactivate_requires_grad(self.slow)
        utils.deactivate_requires_grad(self.slow_head)

    def step(self, done: float) -> None:
        momentum = cosine_schedule(int(1000 * done), 1000, self.p["momentum"], 1)
        utils.update_momentum(self.network, self.slow, m=momentum)
        utils.update_momentum(self.head, self.slow_head, m=momentum)

    @torch.no_grad()
    def slowly(self, view: Tensor) -> Tensor:
        said: Tensor = self.slow_head(self.slow(view))
        return said


class BYOL(Teacher):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        hidden, size = parameters["hidden_size"], parameters["projection_size"]
        head = partial(BYOLProjectionHead, network.n_features, hidden, size)
        super().__init__(network, parameters, head)
        self.prediction = BYOLPredictionHead(size, hidden, size)

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        p0, p1 = (self.prediction(self.head(self.network(view))) for view in views)
        t0, t1 = (self.slowly(view) for view in views)
        # As steep as the paper's sum of squared distances; lightly's example has a quarter.
        return 2 * (similarity(p0, t1) + similarity(p1, t0))


class MoCo(Teacher):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        size = parameters["projection_size"]
        head = partial(MoCoProjectionHead, network.n_features, network.n_features, size)
        super().__init__(network, parameters, head)
        bank = parameters["queue_size"], size
        self.criterion = NTXentLoss(temperature=0.2, memory_bank_size=bank)

    def step(self, done: float) -> None:
        utils.update_momentum(self.network, self.slow, m=self.p["momentum"])
        utils.update_momentum(self.head, self.slow_head, m=self.p["momentum"])

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        query = self.head(self.network(views[0]))
        contrast: Tensor = self.criterion(query, self.slowly(views[1]))
        return contrast


class DINO(Teacher):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        sizes = [parameters[n] for n in ("head_size", "bottleneck_size", "n_prototypes")]
        head = partial(DINOProjectionHead, network.n_features, *sizes)
        super().__init__(network, parameters, head)
        self.criterion = DINOLoss(
            output_dim=parameters["n_prototypes"],
            teacher_temp=parameters["teacher_temperature"],
            warmup_teacher_temp=0.04,
            warmup_teacher_temp_epochs=1,
        )

    @property
    def kept(self) -> ClassificationNetwork:
        return self.slow

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        # As in the public code, views of one size have their batch statistics together.
        large, small = torch.cat(list(views[:2])), torch.cat(list(views[2:]))
        n_images = len(views[0])
        teacher = self.slowly(large).split(n_images)
        student = [self.head(self.network(each)).split(n_images) for each in (large, small)]
        distillation: Tensor = self.criterion(list(teacher), [*student[0], *student[1]])
        return distillation

    def before_update(self, done: float) -> None:
        """Freeze prototypes at first and clip gradients, as the pretrainer does by default."""
        if done < self.p.get("frozen_prototypes", 0.01):
            # Not None: fused SGD wants all gradients. What still decays is a length that is unused.
            self.head.last_layer.zero_grad(set_to_none=False)
        if longest := self.p.get("largest_gradient", 3.0):
            for parameter in self.parameters():
                nn.utils.clip_grad_norm_(parameter, longest)


class CASS(Reference):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__(network, parameters)
        self.other = classification_network(
            encoder=parameters["transformer"], in_channels=1, n_classes=0
        )
        self.other.set_statistics(network.mean.tolist(), network.std.tolist())
        size = parameters["n_outputs"]
        self.heads = nn.ModuleList(
            nn.Linear(each.n_features, size) for each in (network, self.other)
        )

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        u, v = (h(n(views[0])) for h, n in zip(self.heads, (self.network, self.other), strict=True))
        distance: Tensor = 2 + 2 * similarity(u, v)
        return distance


class Masked(Reference):
    """A vision transformer as lightly masks it."""

    start: ClassVar[P] = {}  # lightly's, which is MAE's

    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__(network, parameters)
        vit: Any = network.encoder
        self.patch = int(vit.patch_embed.patch_size[0])
        self.backbone = MaskedVisionTransformerTIMM(vit=vit, **self.start)

    def masked(self, image: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
        size = len(image), self.backbone.sequence_length
        keep, mask = utils.random_token_mask(size=size, mask_ratio=ratio, device=image.device)
        return keep, mask

    def target(self, image: Tensor, mask: Tensor) -> Tensor:
        patches = utils.patchify(image, self.patch)
        return utils.get_at_index(patches, mask - 1)  # the first token is the class's


class MAE(Masked):
    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__(network, parameters)
        vit: Any = network.encoder
        self.decoder = MAEDecoderTIMM(
            num_patches=vit.patch_embed.num_patches,
            patch_size=self.patch,
            in_chans=1,
            embed_dim=vit.embed_dim,
            decoder_embed_dim=parameters["decoder_width"],
            decoder_depth=parameters["decoder_blocks"],
            decoder_num_heads=parameters["decoder_heads"],
        )

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        image = self.network.prepare(views[0])
        keep, mask = self.masked(image, 0.75)
        seen = self.decoder.embed(self.backbone.encode(images=image, idx_keep=keep))
        size = len(image), self.backbone.sequence_length
        tokens = utils.repeat_token(self.decoder.mask_token, size)
        tokens = utils.set_at_index(tokens, keep, seen.type_as(tokens))
        guessed = self.decoder.predict(utils.get_at_index(self.decoder.decode(tokens), mask))
        return nn.functional.mse_loss(guessed, self.target(image, mask))


class SimMIM(Masked):
    start: ClassVar[P] = {"weight_initialization": "skip", "pos_embed_initialization": "skip"}

    def __init__(self, network: ClassificationNetwork, parameters: P) -> None:
        super().__init__(network, parameters)
        vit: Any = network.encoder
        self.decoder = nn.Linear(vit.embed_dim, self.patch**2)

    def loss(self, views: Sequence[Tensor], done: float) -> Tensor:
        image = self.network.prepare(views[0])
        _, mask = self.masked(image, 0.6)
        tokens = self.backbone.encode(images=image, idx_mask=mask)
        guessed = self.decoder(utils.get_at_index(tokens, mask))
        return nn.functional.l1_loss(guessed, self.target(image, mask))


REFERENCES: dict[str, Callable[[ClassificationNetwork, P], Reference]] = {
    "SimSiam": SimSiam,
    "BYOL": BYOL,
    "MoCo": MoCo,
    "DINO": DINO,
    "CASS": CASS,
    "MAE": MAE,
    "SimMIM": SimMIM,
}
