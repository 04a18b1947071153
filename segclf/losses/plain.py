"""Losses without weights and -1, such as torch's own, with the signature of segclf's losses."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from segclf.axes import are_labels
from segclf.losses.targets import full_precision, is_exclusive

_OURS = ("sample_weight", "class_weight")


def in_our_form(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loss that takes our keyword arguments unchanged, and any other as a `PlainLoss`.

    Raises
    ------
    TypeError
        For a class, such as ``nn.CrossEntropyLoss`` without parentheses.
    """
    if isinstance(loss, type):
        raise TypeError(f"loss is the class {loss.__name__}; pass an object: {loss.__name__}().")
    parameters = _parameters(loss)
    if parameters is None or all(name in parameters for name in _OURS):
        return loss
    return PlainLoss(loss, parameters)


class PlainLoss(nn.Module):
    """A ``loss(logits, target)`` of another library or of a user.

    A target of -1 is replaced by the loss's ``ignore_index``, which may be an attribute or a
    parameter. Targets with channels become floats, as binary cross entropy needs.

    Parameters
    ----------
    loss : callable
        Copied, so that the user's object stays on its device.
    parameters : set of str
        Names of its parameters.
    """

    def __init__(self, loss: Callable[..., Any], parameters: set[str]) -> None:
        super().__init__()
        self.loss = copy.deepcopy(loss)
        self._takes = parameters

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        sample_weight: Tensor | None = None,
        class_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss; 0 if nothing is labeled.

        Raises
        ------
        ValueError
            For weights or a -1 that the loss cannot take, or if its result is not a scalar.
        """
        options = self._options(sample_weight=sample_weight, class_weight=class_weight)
        logits, unknown = full_precision(logits), target < 0
        target = target.long() if is_exclusive(logits, target) else target.to(logits.dtype)
        if unknown.all():
            return logits.sum() * 0
        if unknown.any():
            logits, target, more = self._without(unknown, logits, target)
            options |= more
        loss: Tensor = self.loss(logits, target, **options)
        if loss.shape:
            raise ValueError(
                f"{_named(self.loss)} returned values of shape {tuple(loss.shape)}; expected one "
                "number, for example with reduction='mean'."
            )
        return loss

    def _options(self, **weights: Tensor | None) -> dict[str, Any]:
        given = {name: value for name, value in weights.items() if value is not None}
        for name in given.keys() - self._takes:
            way = {
                "sample_weight": "fit without sample_weight (and class_weight of images)",
                "class_weight": "set weights in the loss, such as CrossEntropyLoss(weight=...)",
            }[name]
            raise ValueError(
                f"{_named(self.loss)} takes no {name}: {way}, or write a loss "
                "f(logits, target, *, sample_weight, class_weight)."
            )
        return given

    def _without(
        self, unknown: Tensor, logits: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Let the loss leave out unlabeled entries, by its ``ignore_index``."""
        ignored = getattr(self.loss, "ignore_index", None)
        if isinstance(ignored, int):
            return logits, torch.where(unknown, ignored, target), {}
        if "ignore_index" in self._takes:
            return logits, target, {"ignore_index": -1}
        if are_labels(target):
            return logits[~unknown], target[~unknown], {}
        raise ValueError(
            f"{_named(self.loss)} cannot leave out the -1 of unlabeled entries. Set "
            "ignore_index=-1 if it has such a parameter, or write a loss "
            "f(logits, target, *, sample_weight, class_weight), whose target holds the -1."
        )


def _parameters(loss: Callable[..., Any]) -> set[str] | None:
    """Return the names of a loss's parameters; None if it takes any, or has no signature."""
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except ValueError:  # compiled
        return None
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    return None if inspect.Parameter.VAR_KEYWORD in kinds else set(signature.parameters)


def _named(loss: Any) -> str:
    return f"loss={getattr(loss, '__name__', None) or repr(loss)}"
