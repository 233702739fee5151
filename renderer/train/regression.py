"""Half the squared distance between a network's outputs and targets: what split strategies minimise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

Reduction = Literal["none", "sum", "mean"]


def half_squared(outputs: Float[Tensor, "N *m"], step: Float[Tensor, "N *m"], reduction: Reduction) -> Tensor:
    """½‖y − z‖² of each sample (N,), or their sum or mean, for z = y − step: its gradient in y is the step itself.

    Taking the step, not z, keeps a small step's digits.

    >>> half_squared(torch.ones(2, 3), torch.ones(2, 3), "mean")
    tensor(1.5000)
    """
    each = 0.5 * (outputs - outputs.detach() + step).flatten(1).square().sum(1)
    if reduction == "none":
        return each
    return each.sum() if reduction == "sum" else each.mean()


def check_outputs(outputs: Any, reduction: str) -> None:
    """Raise one line for outputs that are no batch of floating point numbers, or an unknown reduction."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction: expected 'none', 'sum' or 'mean', got {reduction!r}")
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        kind = f"Tensor of {outputs.dtype}" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(f"outputs: expected a floating point Tensor, got {kind}")
    if outputs.ndim < 2 or outputs.numel() == 0:
        raise ValueError(f"outputs: expected shape (N, m) with something in it, got {tuple(outputs.shape)}")


def summed(loss: Callable[..., Tensor], outputs: Tensor, reduction: Reduction, arguments: Any, options: Any) -> Tensor:
    """The sum of the per-sample losses, from a loss that reduces them as it says; ValueError if it does not."""
    value = loss(outputs, *arguments, **options)
    expected = (len(outputs),) if reduction == "none" else ()
    if tuple(value.shape) != expected:
        raise ValueError(f"loss: expected shape {expected} with reduction={reduction!r}, got {tuple(value.shape)}")
    return value * len(outputs) if reduction == "mean" else value.sum()


def leaf(outputs: Tensor) -> Tensor:
    """The same numbers, cut off, with a gradient of their own."""
    return outputs.detach().clone().requires_grad_(True)


def scaled(gradient: Tensor, reduction: Reduction) -> Tensor:
    """Per-sample gradients from those of a reduced loss: a mean divides by N, which is undone."""
    return gradient * len(gradient) if reduction == "mean" else gradient
