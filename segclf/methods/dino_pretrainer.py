"""DINO: a student that sees small views matches a momentum teacher that sees large ones.

Both assign views to thousands of prototypes, and the student learns to agree with the teacher on
other views of an image. Centering keeps one prototype from always winning; sharpening keeps all
from being equally likely. Caron et al., "Emerging properties in self-supervised vision
transformers", ICCV 2021.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from segclf.base import EncoderPretrainer
from segclf.data import Augmentation, Samples, simclr_view, views
from segclf.networks import DINOHead, ImageNetwork, follow, momentum_copy
from segclf.objectives import (
    Batch,
    JointEmbedding,
    Objective,
    Progress,
    apart,
    score_entropy,
    self_distillation_loss,
    shorten_each,
    spare_vectors,
    warn_of_ln_k,
)
from segclf.training.schedules import Schedule, between, cosine, warm_up

N_GLOBAL = 2
FIRST_PART = 0.1  # of training, after which some prototypes should be likelier than others
COUNTS = ("n_prototypes", "head_size", "bottleneck_size")
PART = ("temperature_warm_up", "frozen_prototypes", "momentum", "final_momentum", "center_momentum")
POSITIVE = ("student_temperature", "teacher_temperature", "first_temperature")
SWITCHES = ("student_sees_global", "unit_prototypes", "bottleneck_activation")


class DINOPretrainer(EncoderPretrainer):
    """Pretrain an encoder by DINO, and keep the teacher's encoder, which the paper evaluates.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`; convolutional or a transformer. None means the encoder of
        the estimator that uses this pretrainer, or "vit_small_patch16_224" without one (section 4).
    n_local_crops : int
        Number of small views in addition to the two large ones; 8 in the public code.
    global_crop, local_crop : (float, float)
        Smallest and largest area of large and of small views, as fractions of the image area.
    local_scale : float
        Height and width of small views, as a fraction of the image's: 96 of 224 pixels in section
        3.1, which is 3 / 7.
    student_sees_global : bool
        Whether the student also sees large views (section 3.1).
    n_prototypes, head_size, bottleneck_size : int
        Lengths of the output, of the head's two hidden layers, and of its third layer, whose output
        is scaled to length 1: 65536, 2048 and 256 in the paper. A head with fewer hidden units
        starts with larger weights than the paper's, see :class:`segclf.networks.DINOHead`.
    bottleneck_activation, unit_prototypes : bool
        Whether the third layer also ends in an activation; whether prototypes have length 1, that
        is, weight normalization with a fixed scale (section 3.1).
    student_temperature, teacher_temperature : float
        Temperatures by which scores are divided: .1 and .07 in section 3.2.
    first_temperature, temperature_warm_up : float
        Initial temperature of the teacher, and the fraction of training over which it rises: .04
        and 30 epochs there. By default, the public code stays at .04.
    momentum, final_momentum, center_momentum : float
        Momentum per step: of the teacher at the start and at the end, along a cosine (section 3.1),
        and of its center.
    frozen_prototypes : float
        Fraction of training before prototypes move: one of 100 epochs in the public code.
    largest_gradient : float or None
        Largest length of each tensor's gradient; a longer one is scaled down. 3 in the public code;
        None means no limit.
    final_weight_decay : float
        Weight decay at the end, reached along a cosine from `weight_decay` (section 3.2). Biases
        and normalizations do not decay.

    Notes
    -----
    Section 3.2 trains by AdamW with a learning rate of 5e-4 per 256 images, which rises over 10
    epochs and falls along a cosine. Those are the defaults here, scaled to batches of 64, for 100
    epochs. In the public code, the rate ends at 1e-6, not 0, and the student drops a tenth of a
    transformer's paths; here it drops none. The public code advises a momentum of .9995 for batches
    of 256. If the loss stays at the logarithm of `n_prototypes`, for which there is a
    :class:`segclf.objectives.CollapseWarning`, it advises a lower `teacher_temperature` or more
    `frozen_prototypes`. Views are those of BYOL; a list given as `augmentation` has the two large
    views first.

    For ResNets the public code recommends other settings: ``optimizer="sgd", learning_rate=0.0075,
    weight_decay=1e-4, final_weight_decay=1e-4, global_crop=(0.14, 1), local_crop=(0.05, 0.14),
    teacher_temperature=0.04``, a learning rate of .03 per 256 images. S4MI uses vit-pytorch, whose
    defaults are ``n_local_crops=2, global_crop=(.5, 1), local_scale=1, student_sees_global=False,
    n_prototypes=65336, head_size=256, bottleneck_activation=True, unit_prototypes=False,
    student_temperature=.9, teacher_temperature=.04, momentum=.9, final_momentum=.9,
    frozen_prototypes=0, largest_gradient=None``; each large view meets one small one, here both.

    See Also
    --------
    BYOLPretrainer : A momentum teacher and a predictor.

    Examples
    --------
    >>> from segclf import DINOPretrainer
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> small = {"n_prototypes": 64, "head_size": 32, "n_local_crops": 2}
    >>> pretrainer = DINOPretrainer(encoder="tiny", **small, max_epochs=1, random_state=0)
    >>> pretrainer.fit_transform(shapes.images).shape
    (8, 64)
    """

    n_local_crops: int = 8
    global_crop: tuple[float, float] = (0.4, 1.0)
    local_crop: tuple[float, float] = (0.05, 0.4)
    local_scale: float = 3 / 7
    student_sees_global: bool = True
    n_prototypes: int = 65536
    head_size: int = 2048
    bottleneck_size: int = 256
    bottleneck_activation: bool = False
    unit_prototypes: bool = True
    student_temperature: float = 0.1
    teacher_temperature: float = 0.07
    first_temperature: float = 0.04
    temperature_warm_up: float = 0.3
    momentum: float = 0.996
    final_momentum: float = 1.0
    center_momentum: float = 0.9
    frozen_prototypes: float = 0.01
    largest_gradient: float | None = 3.0
    final_weight_decay: float = 0.4
    max_epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1.25e-4
    weight_decay: float = 0.04
    optimizer: Any = "adamw"
    schedule: Any = "warm_up_cosine"

    _fewest_images: ClassVar[int] = 2
    _paper_encoder: ClassVar[str] = "vit_small_patch16_224"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_local_crops": [Interval(Integral, 0, None, closed="left")],
        "global_crop": [tuple, list],
        "local_crop": [tuple, list],
        "local_scale": [Interval(Real, 0.01, 1, closed="both")],
        "largest_gradient": [Interval(Real, 0, None, closed="neither"), None],
        "final_weight_decay": [Interval(Real, 0, None, closed="left")],
        **{name: [Interval(Integral, 1, None, closed="left")] for name in COUNTS},
        **{name: [Interval(Real, 0, 1, closed="both")] for name in PART},
        **{name: [Interval(Real, 0, None, closed="neither")] for name in POSITIVE},
        **{name: ["boolean"] for name in SWITCHES},
    }

    def _make_views(self) -> tuple[Augmentation, ...]:
        view = replace(simclr_view(self.global_crop), saturation=0.2, blur_probability=1.0)
        local = replace(view, crop=self.local_crop, output_scale=self.local_scale)
        local = replace(local, blur_probability=0.5)
        second = replace(view, blur_probability=0.1, solarize=0.2)
        return view, second, *[local] * self.n_local_crops

    def _make_objective(self, samples: Samples) -> Objective:
        if not (self.student_sees_global or self.n_local_crops):
            raise ValueError(
                "n_local_crops=0 with student_sees_global=False leaves the student without views; "
                "expected at least 1, or student_sees_global=True."
            )
        network = self._make_encoder(samples)
        head = DINOHead(
            network.n_features,
            n_prototypes=self.n_prototypes,
            hidden_size=self.head_size,
            bottleneck_size=self.bottleneck_size,
            unit_prototypes=self.unit_prototypes,
            bottleneck_activation=self.bottleneck_activation,
        )
        rise = partial(warm_up, length=self.temperature_warm_up)
        return DINO(
            network,
            head,
            student_sees_global=self.student_sees_global,
            student_temperature=self.student_temperature,
            teacher_temperature=between(self.first_temperature, self.teacher_temperature, rise),
            momentum=between(self.final_momentum, self.momentum, cosine),
            weight_decay=between(self.final_weight_decay, self.weight_decay, cosine),
            center_momentum=self.center_momentum,
            frozen_prototypes=self.frozen_prototypes,
            largest_gradient=self.largest_gradient,
        )


class DINO(JointEmbedding):
    """Cross-entropy between the teacher's large views and the student's other views.

    The history's column ``teacher_entropy`` is the entropy of the teacher's sharpened scores, in
    nats. If it is still ln K after the first tenth of training, a :class:`CollapseWarning` follows.

    Parameters
    ----------
    student, student_head : ImageNetwork, DINOHead
        From images to embeddings, and from these to scores of prototypes. The teacher is a copy.
    teacher_temperature, momentum, weight_decay : callable
        Functions of the fraction of training done.
    student_sees_global, student_temperature, center_momentum, frozen_prototypes, largest_gradient
        See :class:`DINOPretrainer`.
    """

    center: Tensor
    teacher_entropy: Tensor
    fraction: Tensor

    def __init__(
        self,
        student: ImageNetwork,
        student_head: DINOHead,
        *,
        student_sees_global: bool,
        student_temperature: float,
        teacher_temperature: Schedule,
        momentum: Schedule,
        weight_decay: Schedule,
        center_momentum: float,
        frozen_prototypes: float,
        largest_gradient: float | None,
    ) -> None:
        super().__init__()
        self.student, self.student_head = student, student_head
        self.network, self.head = momentum_copy(student), momentum_copy(student_head)
        self.register_buffer("center", torch.zeros(student_head.prototypes.out_features))
        for name in ("teacher_entropy", "fraction"):
            self.register_buffer(name, torch.zeros(()), persistent=False)
        self.student_sees_global, self.momentum = student_sees_global, momentum
        self.student_temperature, self.center_momentum = student_temperature, center_momentum
        self.teacher_temperature, self.weight_decay = teacher_temperature, weight_decay
        self.frozen_prototypes, self.largest_gradient = frozen_prototypes, largest_gradient

    def forward(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the term "distillation" in nats, ln K where all prototypes are equally likely."""
        images = views(batch)
        seen = images if self.student_sees_global else images[N_GLOBAL:]
        bottleneck = self.student_head.bottleneck(embeddings(self.student, seen))
        with torch.no_grad():
            teacher = self.head(embeddings(self.network, images[:N_GLOBAL]))
        n_images, temperature = len(batch["index"]), self.teacher_temperature(progress.fraction)
        self.watch(bottleneck[:n_images])
        self.fraction = torch.tensor(progress.fraction)
        self.teacher_entropy = score_entropy(teacher, center=self.center, temperature=temperature)
        loss = self_distillation_loss(
            self.student_head.scores(bottleneck).split(n_images),
            teacher.split(n_images),
            center=self.center,
            student_temperature=self.student_temperature,
            teacher_temperature=temperature,
            same_views=self.student_sees_global,
        )
        if self.training:
            self.center.lerp_(teacher.mean(dim=0), 1 - self.center_momentum)
        return {"distillation": loss}

    def measures(self) -> dict[str, Tensor]:
        """Return ``embedding_std`` and ``teacher_entropy``."""
        return {**super().measures(), "teacher_entropy": self.teacher_entropy}

    def after_epoch(self, row: Mapping[str, float]) -> None:
        """Warn if the teacher finds all prototypes equally likely, or if embeddings collapse."""
        if self.fraction > FIRST_PART:
            warn_of_ln_k(row, n_prototypes=len(self.center))
        super().after_epoch(row)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the student's groups, with a weight decay that follows its own schedule."""
        # torch's fused SGD needs all tensors of a group to begin together.
        groups = apart(super().parameter_groups(), self.student_head.prototypes.parameters())
        return spare_vectors([{**g, "weight_decay_schedule": self.weight_decay} for g in groups])

    def before_update(self, progress: Progress) -> None:
        """Keep prototypes fixed at first, and scale down long gradients."""
        if progress.fraction < self.frozen_prototypes:
            # With zero gradients, the optimizer would still decay the weights.
            self.student_head.prototypes.zero_grad(set_to_none=True)
        if self.largest_gradient is not None:
            shorten_each(self.parameters(), self.largest_gradient)

    def after_update(self, progress: Progress) -> None:
        """Move the teacher towards the student."""
        for teacher, student in ((self.network, self.student), (self.head, self.student_head)):
            follow(teacher, student, self.momentum(progress.fraction))


def embeddings(network: nn.Module, images: list[Tensor]) -> Tensor:
    """Embed views, those of one size together, and concatenate them in order, (v n, d)."""
    groups = groupby(images, key=lambda image: image.shape[2:])
    return torch.cat([network(torch.cat(list(group))) for _, group in groups])
