"""Adam with one step size for all coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class AdamUniform(torch.optim.Optimizer):
    """Adam whose second moment is the largest over each tensor: the step keeps the direction of the averaged gradient.

    u ← u − lr · m̂ / √(max v̂). Adam divides every coordinate by its own gradient scale, which would undo the smoothing
    of `LargeSteps` and depend on how the axes lie. Raises ValueError for lr <= 0 or betas outside [0, 1).
    Source: Nicolet, Jacobson and Jakob, "Large Steps in Inverse Rendering of Geometry", 2021.

    >>> optimizer = AdamUniform([latent], lr=0.01)
    >>> optimizer.step()
    """

    def __init__(self, params: Iterable[Tensor], *, lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        if not lr > 0:
            raise ValueError(f"lr: expected a positive step size, got {lr}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {betas}")
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            first, second = group["betas"]
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state.update(step=0, mean=torch.zeros_like(param), square=torch.zeros_like(param))
                state["step"] += 1
                state["mean"].lerp_(param.grad, 1 - first)
                state["square"].lerp_(param.grad.square(), 1 - second)
                mean = state["mean"] / (1 - first ** state["step"])
                largest = (state["square"].max() / (1 - second ** state["step"])).sqrt()
                # A gradient that has been zero so far moves nothing, and must not divide by zero.
                param.sub_(torch.where(largest > 0, group["lr"] * mean / largest, 0.0))
        return loss
