"""Elementary functions that keep their relative precision, in value and in gradient, where the textbook form cancels.

Branches are evaluated on arguments that are replaced by harmless ones where the branch is not taken, so that no NaN of
an unused branch reaches a gradient. Everything is plain PyTorch: differentiable any number of times, and usable under
`torch.func` and `torch.compile`. Mirrors csrc/math/special.h.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

LN2 = math.log(2.0)

# Below this argument expm1(x)/x and log1p(x)/x are summed as series: their quotients would lose digits in derivatives.
SERIES_RADIUS = 0.05
EXPM1_SERIES = [1 / math.factorial(k + 1) for k in range(11)]
LOG1P_SERIES = [(-1) ** k / (k + 1) for k in range(13)]


def magnitude(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """|x| with derivative 1 at 0, so that what is continued symmetrically keeps its slope there."""
    return torch.where(x < 0, -x, x)


def polynomial(x: Float[Tensor, "*shape"], coefficients: list[float]) -> Float[Tensor, "*shape"]:
    """Σ cₖ xᵏ by Horner's rule."""
    result = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = result * x + c
    return result


def one_minus_exp(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """1 − e^−a; unlike −expm1(−a), whose backward computes 1 − (1 − e^−a), its gradient e^−a is precise for large a."""
    small = a < LN2
    return torch.where(small, -torch.expm1(-torch.where(small, a, 0.0)), 1 - torch.exp(-torch.where(small, 1.0, a)))


def log1mexp(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln(1 − e^−a) for a ≥ 0; −inf, with derivative 0, at a = 0."""
    small, zero = a < LN2, a <= 0
    near = torch.log(-torch.expm1(-torch.where(small & ~zero, a, 1.0)))
    far = torch.log1p(-torch.exp(-torch.where(small, 1.0, a)))
    return torch.where(zero, -math.inf, torch.where(small, near, far))


def softplus(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln(1 + e^a); `torch.nn.functional.softplus` is linear beyond 20, which is off by 2e-9 in float64."""
    return -torch.nn.functional.logsigmoid(-a)


def expm1_ratio(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """(e^x − 1) / x, which is 1 at 0."""
    small = x.abs() < SERIES_RADIUS
    direct = torch.where(small, 1.0, x)
    return torch.where(small, polynomial(torch.where(small, x, 0.0), EXPM1_SERIES), torch.expm1(direct) / direct)


def log1p_ratio(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln(1 + x) / x, which is 1 at 0."""
    small = x.abs() < SERIES_RADIUS
    direct = torch.where(small, 1.0, x)
    return torch.where(small, polynomial(torch.where(small, x, 0.0), LOG1P_SERIES), torch.log1p(direct) / direct)
