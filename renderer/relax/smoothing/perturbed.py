"""Perturbed optimisers: y(θ) = E argmax_y ⟨y, θ + σZ⟩, and the Fenchel–Young loss whose gradient they are.

Berthet, Blondel, Teboul, Cuturi, Vert, Bach, "Learning with Differentiable Perturbed Optimizers", NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.smoothing.noise import as_noise, draw
from renderer.relax.smoothing.score_function import evaluate, smooth


def perturbed_argmax(
    solver: Callable[[Tensor], Tensor],
    theta: Float[Tensor, "batch *shape"],
    *,
    scale: float,
    samples: int,
    distribution: str = "gaussian",
    antithetic: bool = False,
    seed: int = 0,
) -> Float[Tensor, "batch *shape"]:
    """The mean solution E argmax_y ⟨y, θ + scale · Z⟩, differentiable in θ.

    `solver` maps scores (N, *shape) to the best y (N, *shape) of each; for a minimum give it −θ.
    """
    return smooth(
        solver, theta, scale=scale, samples=samples, distribution=distribution, antithetic=antithetic, seed=seed
    )


def fenchel_young_loss(
    solver: Callable[[Tensor], Tensor],
    theta: Float[Tensor, "batch *shape"],
    target: Float[Tensor, "batch *shape"],
    *,
    scale: float,
    samples: int,
    distribution: str = "gaussian",
    seed: int = 0,
) -> Float[Tensor, "batch"]:
    """F(θ) − ⟨θ, target⟩ with F(θ) = E max_y ⟨y, θ + scale · Z⟩, up to a constant; its gradient is y(θ) − target.

    Convex in θ, and least where the mean solution equals the target. `solver` as for `perturbed_argmax`.
    """
    if theta.shape != target.shape:
        raise ValueError(f"target: expected the shape {tuple(theta.shape)} of theta, got {tuple(target.shape)}")
    if not scale > 0:
        raise ValueError(f"scale: expected a number > 0, got {scale}")
    if samples < 1:
        raise ValueError(f"samples: expected at least 1, got {samples}")
    z = draw(as_noise(distribution), samples, tuple(theta.shape), theta, antithetic=False, quasi=False, seed=seed)
    return FenchelYoung.apply(theta, target, solver, scale * z)


class FenchelYoung(torch.autograd.Function):
    """(θ, target, solver, σZ) -> loss of every sample."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, target: Tensor, solver: Any, noise: Tensor) -> Tensor:
        with torch.no_grad():
            points = theta + noise
            solutions = evaluate(solver, points).to(theta.dtype)
        ctx.save_for_backward(theta, solutions.mean(0) - target)
        best = (solutions * points).flatten(2).sum(2).mean(0)
        return best - (theta * target).flatten(1).sum(1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        theta, gap = ctx.saved_tensors
        weight = grad.reshape(-1, *(1,) * (gap.dim() - 1))
        return weight * gap, -weight * theta, None, None
