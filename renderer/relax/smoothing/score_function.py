"""Smoothing of functions that are known by their values only: ∇E f(x + σε) = E[f(x + σε) · (−∇ ln μ(ε))]/σ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.smoothing.noise import Noise, as_noise, draw

Baseline = Literal["leave_one_out", "centre", "none"]


def smooth(
    f: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch *shape"],
    *,
    scale: float,
    samples: int,
    distribution: str = "gaussian",
    baseline: Baseline = "leave_one_out",
    antithetic: bool = False,
    quasi: bool = False,
    seed: int = 0,
) -> Float[Tensor, "batch *result"]:
    """An unbiased estimate of E f(x + scale · ε), differentiable in x without a derivative of f.

    `f` maps (N, *shape) to (N, *result), sample by sample; it is called once, without gradients, with N = samples ×
    batch. `distribution`: gaussian, logistic, gumbel, cauchy, laplace or triangular. `baseline` is what is subtracted
    from each value, for less variance: the mean of the other samples, the value at x (one more call of f), or nothing.
    `antithetic` draws pairs ε(u), ε(1 − u); the baseline then leaves out the pair. `quasi` draws a scrambled Sobol
    sequence, whose points depend on each other: leave_one_out would be biased and is refused.

    Raises ValueError for settings that are out of range or do not go together, or if f does not return N results.

    Petersen et al., "Generalizing Stochastic Smoothing for Differentiation and Gradient Estimation", 2024.
    """
    check(scale, samples, baseline, antithetic, quasi)
    noise = as_noise(distribution)
    epsilon = draw(noise, samples, tuple(x.shape), x, antithetic=antithetic, quasi=quasi, seed=seed)
    return ScoreFunction.apply(x, f, noise, epsilon, scale, baseline, antithetic)


def check(scale: float, samples: int, baseline: str, antithetic: bool, quasi: bool) -> None:
    """Raises ValueError for settings that are out of range or do not go together."""
    if not scale > 0:
        raise ValueError(f"scale: expected a number > 0, got {scale}")
    if baseline not in ("leave_one_out", "centre", "none"):
        raise ValueError(f"baseline: expected leave_one_out, centre or none, got {baseline!r}")
    least = (4 if antithetic else 2) if baseline == "leave_one_out" else (2 if antithetic else 1)
    if samples < least or (antithetic and samples % 2):
        kind = "an even number" if antithetic else "a number"
        raise ValueError(f"samples: expected {kind} of at least {least}, got {samples}")
    if quasi and baseline == "leave_one_out":
        raise ValueError("baseline: expected centre or none with quasi, where leave_one_out is biased")


def evaluate(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """f at (samples, batch, *shape), as (samples, batch, *result)."""
    samples, batch = points.shape[:2]
    values = f(points.flatten(0, 1))
    if not isinstance(values, Tensor) or values.dim() == 0 or values.shape[0] != samples * batch:
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"f: expected {samples * batch} results for as many samples, got {came}")
    return values.unflatten(0, (samples, batch))


def centred(values: Tensor, at_x: Tensor | None, baseline: str, antithetic: bool) -> Tensor:
    """Values (samples, ...) minus a baseline that does not depend on their own noise."""
    samples = values.shape[0]
    if at_x is not None:
        return values - at_x
    if baseline == "none":
        return values
    total = values.sum(0)
    if antithetic:
        pairs = values + values.roll(samples // 2, 0)
        return values - (total - pairs) / (samples - 2)
    return values - (total - values) / (samples - 1)


class ScoreFunction(torch.autograd.Function):
    """(x, f, noise, draws, scale, baseline, antithetic) -> the mean of f."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, f: Any, noise: Noise, epsilon: Tensor, scale: float, baseline: str, antithetic: bool
    ) -> Tensor:
        with torch.no_grad():
            values = evaluate(f, x + scale * epsilon).to(x.dtype)
            at_x = evaluate(f, x.detach().unsqueeze(0)).to(x.dtype) if baseline == "centre" else None
        ctx.save_for_backward(centred(values, at_x, baseline, antithetic), noise.score(epsilon))
        ctx.scale = scale
        return values.mean(0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        values, score = ctx.saved_tensors
        weights = (values * grad).flatten(2).sum(2) if values.dim() > 2 else values * grad  # (samples, batch)
        weights = weights.reshape(*score.shape[:2], *(1,) * (score.dim() - 2))
        return (weights * score).mean(0) / ctx.scale, None, None, None, None, None, None
