"""Relaxed comparisons, logic, extrema and indexing on plain tensors.

A comparison is perturbed by noise of scale 1/β, and its probability taken in closed form: P(a < b) = F(β(b − a)). As β
grows everything here becomes what Python computes. Integer tensors and Python ints are compared with a half-unit
correction, which keeps that true at ties: P(i < n) = F(β(n − i − ½)).

    p = less(x, 2.0, beta=8.0)                   # a relaxed condition
    y = where(p, x * x, x)                       # a relaxed branch
    z = take(table, position, beta=8.0)          # a relaxed a[i]

Petersen, Borgelt, Kuehne, Deussen, "Learning with Algorithmic Supervision via Continuous Relaxations", NeurIPS 2021.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.distribution_base import Distribution
from renderer.relax.distributions import distribution as make_distribution
from renderer.relax.parameters import Scalar, check_number
from renderer.relax.t_conorms import TConorm
from renderer.relax.t_conorms import t_conorm as make_t_conorm

Number: TypeAlias = Tensor | float | int
Extremum = Literal["logsumexp", "mean", "hard"]
EXTREMA: tuple[str, ...] = ("logsumexp", "mean", "hard")

# Two reals count as equal within this distance, unless told otherwise.
EQUALITY_WINDOW = 0.01


def as_distribution(value: str | Distribution) -> Distribution:
    """A distribution of unit scale by its name, or `value` itself."""
    if isinstance(value, Distribution):
        return value
    if not isinstance(value, str):
        raise TypeError(f"distribution: expected a name or a Distribution, got {value!r}")
    return make_distribution(value, scale=1.0)


def as_t_conorm(value: str | TConorm) -> TConorm:
    """A T-conorm without parameter by its name, or `value` itself."""
    if isinstance(value, TConorm):
        return value
    if not isinstance(value, str):
        raise TypeError(f"t_conorm: expected a name or a TConorm, got {value!r}")
    return make_t_conorm(value)


def check_beta(beta: Scalar) -> None:
    """Raises ValueError unless β is a finite number > 0 or a floating-point tensor of shape () that holds one."""
    check_number("beta", beta, "a finite number > 0", lambda v: 0 < v < math.inf)


def probability(difference: Float[Tensor, "*shape"], beta: Scalar, law: Distribution) -> Float[Tensor, "*shape"]:
    """F(β · difference), which is exactly 0 or 1, with derivative 0, at infinite differences."""
    infinite = difference.isinf()
    inside = torch.where(infinite, 0.0, difference)
    return torch.where(infinite, (difference > 0).to(difference.dtype), finite_probability(inside, beta, law))


def finite_probability(difference: Float[Tensor, "*shape"], beta: Scalar, law: Distribution) -> Float[Tensor, "*shape"]:
    """F(β · difference) for finite differences."""
    z = difference * beta
    # The logistic one is the common case: one operator in place of seven, and as precise below 0.
    return torch.sigmoid(z) if is_standard_logistic(law) else law.cdf(z)


def is_standard_logistic(law: Distribution) -> bool:
    """Whether F(z) = 1/(1 + e^−z)."""
    return law.name == "logistic" and isinstance(law.scale, float | int) and law.scale == 1 and not law.squared


def difference(a: Number, b: Number) -> Tensor:
    """b − a, which is 0 for equal infinities."""
    gap = b - a
    assert isinstance(gap, Tensor)  # one of the two is
    return torch.where(gap.isnan(), _nan_or_zero(a, b, gap), gap)


def _nan_or_zero(a: Number, b: Number, gap: Tensor) -> Tensor:
    same = torch.as_tensor(a == b, device=gap.device)
    return torch.where(same, torch.zeros_like(gap), gap.detach())


def _is_integer(value: Number) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point()
    return isinstance(value, int)


def _operands(a: Number, b: Number) -> tuple[Number, Number, bool]:
    """Both operands, at least one a floating-point tensor, and whether they are to be compared as integers."""
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        raise TypeError(f"a, b: expected at least one tensor, got {type(a).__name__} and {type(b).__name__}")
    integers = _is_integer(a) and _is_integer(b)
    a, b = (v.to(torch.get_default_dtype()) if isinstance(v, Tensor) and _is_integer(v) else v for v in (a, b))
    return a, b, integers


def less(a: Number, b: Number, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """P(a < b) = F(β(b − a)), or F(β(b − a − ½)) for integers; broadcasts, differentiable in reals and in β."""
    check_beta(beta)
    a, b, integers = _operands(a, b)
    gap = difference(a, b)
    return probability(gap - 0.5 if integers else gap, beta, as_distribution(distribution))


def greater(a: Number, b: Number, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """P(a > b) = P(b < a)."""
    return less(b, a, beta=beta, distribution=distribution)


def less_equal(a: Number, b: Number, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """P(a ≤ b) = 1 − P(a > b), as in Python; for integers F(β(b − a + ½)) if F is symmetric."""
    return 1 - greater(a, b, beta=beta, distribution=distribution)


def greater_equal(a: Number, b: Number, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """P(a ≥ b) = 1 − P(a < b)."""
    return 1 - less(a, b, beta=beta, distribution=distribution)


def equal(
    a: Number,
    b: Number,
    *,
    beta: Scalar,
    distribution: str | Distribution = "logistic",
    window: float | Literal["sech2"] = EQUALITY_WINDOW,
) -> Tensor:
    """P(|a − b| < window), or with "sech2" sech²(β(a − b)/2), which is 1 at equality; integers use the window ½.

    Equal infinities count as equal. Raises ValueError for a window that is not a finite number > 0.
    """
    check_beta(beta)
    check_window(window)
    a, b, integers = _operands(a, b)
    return equality(difference(a, b), beta, as_distribution(distribution), 0.5 if integers else window)


def check_window(window: float | str) -> None:
    """Raises ValueError unless the window of equality is "sech2" or a finite number > 0."""
    if window != "sech2" and not (isinstance(window, float | int) and 0 < window < math.inf):
        raise ValueError(f'window: expected "sech2" or a finite number > 0, got {window!r}')


def equality(gap: Tensor, beta: Scalar, law: Distribution, window: float | str) -> Tensor:
    """The probability that a gap b − a counts as none."""
    if isinstance(window, str):
        infinite = gap.isinf()
        return torch.where(infinite, 0.0, 1 - torch.tanh(torch.where(infinite, 0.0, gap) * beta * 0.5) ** 2)
    return probability(gap + window, beta, law) - probability(gap - window, beta, law)


def logical_and(first: Tensor, *others: Tensor, t_conorm: str | TConorm = "probabilistic") -> Tensor:
    """The T-norm of probabilities: their product, or the dual of the given T-conorm."""
    return as_t_conorm(t_conorm).dual_reduce(torch.stack(torch.broadcast_tensors(first, *others), -1), -1)


def logical_or(first: Tensor, *others: Tensor, t_conorm: str | TConorm = "probabilistic") -> Tensor:
    """The T-conorm of probabilities."""
    return as_t_conorm(t_conorm).reduce(torch.stack(torch.broadcast_tensors(first, *others), -1), -1)


def logical_not(p: Tensor) -> Tensor:
    """1 − p."""
    return 1 - p


def where(p: Tensor, a: Number, b: Number) -> Tensor:
    """The relaxed branch p·a + (1 − p)·b; broadcasts.

    A probability of exactly 0 or 1 picks one value, so that an infinity in the other does not become NaN.
    """
    a, b = (v if isinstance(v, Tensor) else torch.full_like(p, v) for v in (a, b))
    finite = a.isfinite() & b.isfinite()
    mixed = torch.lerp(torch.where(finite, b, 0.0), torch.where(finite, a, 0.0), p.expand_as(finite))
    picked = torch.where(p >= 1, a, torch.where(p <= 0, b, a + b))  # a + b is the infinity, or NaN for two of them
    return torch.where(finite, mixed, picked)


def max(x: Tensor, dim: int, *, beta: Scalar, kind: Extremum = "logsumexp") -> Tensor:
    """The relaxed maximum over one dimension.

    "logsumexp": ln(Σ exp(βx))/β, at most ln(n)/β too large; its gradient is `argmax`. "mean": Σ softmax(βx)·x, too
    small by at most as much. "hard": the maximum itself. Infinities are as in Python.
    """
    check_beta(beta)
    if kind not in EXTREMA:
        raise ValueError(f"kind: expected one of {', '.join(EXTREMA)}, got {kind!r}")
    if kind == "hard":
        return x.amax(dim)
    if kind == "logsumexp":
        return log_sum_exp(x * beta, dim) / beta
    largest = x.amax(dim)
    weights = argmax(x, dim, beta=beta)
    mean = (weights * torch.where(weights > 0, x, 0.0)).sum(dim)
    return torch.where(largest.isinf(), largest, mean)


def min(x: Tensor, dim: int, *, beta: Scalar, kind: Extremum = "logsumexp") -> Tensor:
    """The relaxed minimum over one dimension: −max(−x); see `max`."""
    return -max(-x, dim, beta=beta, kind=kind)


def log_sum_exp(z: Tensor, dim: int) -> Tensor:
    """ln Σ exp(z); −inf or inf, with derivative 0, where the largest is (`torch.logsumexp` has NaN gradients there)."""
    infinite = z.amax(dim, keepdim=True).isinf()
    inside = torch.where(infinite, 0.0, z)
    return torch.where(infinite.squeeze(dim), z.amax(dim).detach(), torch.logsumexp(inside, dim))


def argmax(x: Tensor, dim: int, *, beta: Scalar) -> Tensor:
    """Weights of the relaxed arg max, softmax(βx): a distribution over the indices, to be used with `take`.

    Of equal integers the first counts as the largest, as in Python; equal reals share the weight at every β.
    """
    check_beta(beta)
    if not x.is_floating_point():
        x = first_of_equals(x.to(torch.get_default_dtype()), dim)
    infinite = x.amax(dim, keepdim=True).isinf()
    ties = (x == x.amax(dim, keepdim=True)).to(x.dtype)
    weights = torch.softmax(torch.where(infinite, 0.0, x) * beta, dim)
    return torch.where(infinite, ties / ties.sum(dim, keepdim=True), weights)


def argmin(x: Tensor, dim: int, *, beta: Scalar) -> Tensor:
    """Weights of the relaxed arg min, softmax(−βx); see `argmax`."""
    return argmax(-x, dim, beta=beta)


def first_of_equals(x: Tensor, dim: int) -> Tensor:
    """Integers in floating point, less a fraction that grows along the dimension, which puts equal ones in order."""
    size = x.shape[dim]
    fraction = torch.arange(size, dtype=x.dtype, device=x.device) / size
    return x - fraction.reshape(-1, *(1,) * (x.dim() - 1 - dim % x.dim()))


def index_weights(
    i: Tensor, size: int, *, beta: Scalar, distribution: str | Distribution = "logistic"
) -> Float[Tensor, "*shape size"]:
    """Probabilities of the indices 0 … size − 1 for a relaxed position i: F(β(k + ½ − i)) − F(β(k − ½ − i)).

    The tails go to the first and the last index, so the weights sum to 1. Raises ValueError for size < 1.
    """
    check_beta(beta)
    if size < 1:
        raise ValueError(f"size: expected at least 1, got {size}")
    i = i if i.is_floating_point() else i.to(torch.get_default_dtype())
    edges = torch.arange(size - 1, dtype=i.dtype, device=i.device) + 0.5
    below = probability(edges - i.unsqueeze(-1), beta, as_distribution(distribution))
    ends = below.new_zeros(()).expand(*below.shape[:-1], 1)
    return torch.diff(torch.cat([ends, below, ends + 1], -1), dim=-1)


def take(a: Tensor, i: Tensor, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """Relaxed a[i] of arrays (*batch, n) at positions (*batch,): Σₖ wₖ a[k] with the weights of `index_weights`."""
    return contract(index_weights(_position(i, a), a.shape[-1], beta=beta, distribution=distribution), a)


def _position(i: Tensor, a: Tensor) -> Tensor:
    """Integer positions in the precision of the array."""
    return i if i.is_floating_point() or not a.is_floating_point() else i.to(a.dtype)


def contract(weights: Tensor, a: Tensor) -> Tensor:
    """Σₖ wₖ a[k] over the last dimension; elements of weight 0 do not matter, even if infinite."""
    return weighted_sum(weights, a, -1)


def weighted_sum(weights: Tensor, values: Tensor, dim: int) -> Tensor:
    """Σ w·v over a dimension, without the v that are not finite and have no weight.

    An infinity that has some is the result, whatever its weight: so it gives the weights no gradient, not 0 · inf.
    """
    finite = values.isfinite()
    inside, outside = torch.where(finite, values, 0.0), torch.where(finite | (weights <= 0), 0.0, values)
    return (weights * inside + weights.detach() * outside).sum(dim)


def put(a: Tensor, i: Tensor, v: Number, *, beta: Scalar, distribution: str | Distribution = "logistic") -> Tensor:
    """Relaxed a[i] = v of arrays (*batch, n): a copy with a[k] ← wₖ·v + (1 − wₖ)·a[k]."""
    weights = index_weights(_position(i, a), a.shape[-1], beta=beta, distribution=distribution)
    return where(weights, v.unsqueeze(-1).expand_as(a) if isinstance(v, Tensor) else v, a)


def floor(x: Tensor, *, beta: Scalar, distribution: str | Distribution = "logistic", shift: float = 0.0) -> Tensor:
    """Relaxed ⌊x + shift⌋: Σⱼ F(β(x + shift − j)) over the nearest integers j; those further away count as decided."""
    check_beta(beta)
    base = torch.floor((x + shift).detach())
    steps = torch.arange(1 - FLOOR_REACH, FLOOR_REACH + 1, dtype=x.dtype, device=x.device)
    inside = x + shift - base
    passed = probability(inside.unsqueeze(-1) - steps, beta, as_distribution(distribution))
    return base - FLOOR_REACH + passed.sum(-1)


# Steps on each side of x that `floor` perturbs: at β = 1 the logistic tail beyond them is 3e-4.
FLOOR_REACH = 8
