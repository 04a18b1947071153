"""Augmentations of other libraries, and custom ones, in our form."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segclf.axes import are_volumetric
from segclf.data.augmentation import Augment, in_format_of
from segclf.data.augmentation_limits import check_batch
from segclf.isolation import seeded


def in_our_form(own: Callable[..., Any]) -> Augment:
    """Return a callable as ``augmentation(image, mask, generator)``; unchanged if it has that form.

    Raises
    ------
    TypeError
        For torchvision's first transforms, which move images without their masks.
    """
    module = type(own).__module__
    if module.startswith("torchvision.transforms.v2"):
        return OwnAugmentation(own, _by_torchvision)
    if module.startswith("torchvision.transforms"):
        name = type(own).__name__
        raise TypeError(
            f"augmentation={own!r:.80} is from torchvision.transforms, which move images without "
            f"their masks; use torchvision.transforms.v2.{name}, which moves both."
        )
    names = _parameters(own)
    if names is None or len(names) > 2 or "generator" in names:
        return own
    return OwnAugmentation(own, _by_both if len(names) == 2 else _by_image)


class OwnAugmentation:
    """An augmentation that samples from torch's own generator, which is seeded for each batch.

    Parameters
    ----------
    own : callable
        The callable that was given.
    apply : callable
        Calls it: ``apply(own, image, mask) -> (image, mask)``.
    """

    def __init__(
        self, own: Callable[..., Any], apply: Callable[..., tuple[Tensor, Tensor | None]]
    ) -> None:
        self._own, self._apply = own, apply

    def __call__(
        self, image: Tensor, mask: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Change a batch, like `Augmentation`.

        Raises
        ------
        ValueError
            If the result is not a batch of images and masks.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        with seeded(seed):
            changed, moved = self._apply(self._own, image, mask)
        try:
            check_batch(changed, moved)
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"augmentation={self._own!r:.80} returns an invalid batch: {error}"
            ) from None
        return in_format_of(image, changed), moved


def _by_image(own: Callable[..., Any], image: Tensor, mask: Tensor | None) -> Any:
    return own(image), mask


def _by_both(own: Callable[..., Any], image: Tensor, mask: Tensor | None) -> Any:
    return own(image, mask)


def _by_torchvision(own: Callable[..., Any], image: Tensor, mask: Tensor | None) -> Any:
    """Change one image after another, each with its own random numbers, and its mask alike."""
    from torchvision import tv_tensors  # the user's transform has imported it

    volumes = are_volumetric(image)
    # The slices of a volume are the frames of a video, which all change alike.
    kind: Any = tv_tensors.Video if volumes else tv_tensors.Image
    images = [kind(each) for each in (image.transpose(1, 2) if volumes else image)]
    if mask is None:
        changed, moved = tuple(own(each) for each in images), None
    else:
        masks = [tv_tensors.Mask(each) for each in mask]
        pairs = [own(*pair) for pair in zip(images, masks, strict=True)]
        changed, moved_masks = zip(*pairs, strict=True)
        moved = _stacked(moved_masks, own)
    stacked = _stacked(changed, own)
    return stacked.transpose(1, 2) if volumes else stacked, moved


def _stacked(tensors: Any, own: Any) -> Tensor:
    sizes = sorted({tuple(each.shape[-2:]) for each in tensors})
    if len(sizes) > 1:
        raise ValueError(
            f"augmentation={own!r:.80} returns images of sizes {sizes[0]} and {sizes[-1]} in one "
            "batch; end it with torchvision.transforms.v2.Resize((height, width))."
        )
    return torch.stack([each.as_subclass(Tensor) for each in tensors])


def _parameters(own: Callable[..., Any]) -> list[str] | None:
    """Return the names of the positional parameters; None if they are unknown."""
    try:
        signature = inspect.signature(own.forward if isinstance(own, nn.Module) else own)
    except ValueError:
        return None
    kinds = inspect.Parameter
    if any(each.kind is kinds.VAR_POSITIONAL for each in signature.parameters.values()):
        return None
    return [
        name
        for name, each in signature.parameters.items()
        if each.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        and (each.default is kinds.empty or name in ("mask", "generator"))
    ]
