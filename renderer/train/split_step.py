"""Split step: optimise the outputs first, then regress the network to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.train.regression import Reduction, check_outputs, half_squared, leaf, summed

MakeOptimiser = Callable[[list[Tensor]], torch.optim.Optimizer]


def gradient_descent(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """Plain gradient descent with step size 1: one step of it makes the split step the plain gradient."""
    return torch.optim.SGD(parameters, lr=1.0)


def split_step(
    loss: Callable[..., Tensor],
    outputs: Float[Tensor, "N *m"],
    *arguments: Any,
    reduction: Reduction,
    optimiser: MakeOptimiser = gradient_descent,
    steps: int = 1,
    **options: Any,
) -> Tensor:
    """½‖z* − y‖², with z* what `steps` steps of an optimiser on the loss make of the outputs y.

    The optimiser sees the per-sample gradients ∇ℓᵢ (not divided by N), whatever the reduction. z* is a constant: the
    gradient in y is y − z* (divided by N for "mean"), and reaches nothing else that the loss depends on.

    Args:
        loss: called as loss(outputs, *arguments, **options); sample i's part may depend on outputs[i] only.
        outputs: y, of the network.
        reduction: how `loss` reduces ("none": it gives (N,)), and how the result is reduced.
        optimiser: makes it from [z]: lambda z: torch.optim.Adam(z, lr=0.1).
        steps: at least 1.

    Raises:
        ValueError: one line naming the argument.

    Source: Petersen, "Learning with Differentiable Algorithms", 2022.

    Example:
        >>> split_step(functional.cross_entropy, model(x), labels, reduction="mean", steps=3).backward()
    """
    check_outputs(outputs, reduction)
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    with torch.enable_grad():
        target = leaf(outputs)
        inner = optimiser([target])
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(summed(loss, target, reduction, arguments, options), [target])
            target.grad = gradient
            inner.step()
    return half_squared(outputs, (outputs - target).detach(), reduction)
