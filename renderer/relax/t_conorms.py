"""The nine T-conorms, which say how likely it is that at least one of many faces covers a pixel.

All but max are sums under an additive generator: S = s⁻¹(min(s(1), Σ s(vᵢ))). They are evaluated through the levels
Lᵢ = −ln(1 − vᵢ) and the level Λ = −ln(1 − S) of the result, which stay precise where v and S round to 1, and the power
families through logarithms, so that nothing overflows at p = ±50 in float32. Mirrors csrc/relax/t_conorms.h.

Klement, Mesiar and Pap, Triangular Norms, 2000.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.elementary import LN2, expm1_ratio, log1mexp, log1p_ratio, one_minus_exp, softplus
from renderer.relax.parameters import Scalar, as_parameter, check_number

T_CONORMS: dict[str, type[TConorm]] = {}


@dataclasses.dataclass(frozen=True, eq=False)
class TConorm(abc.ABC):
    """A T-conorm with its parameter; make one with `t_conorm`. Values are probabilities in [0, 1].

    Gradients in the values and in p exist everywhere and are finite; where a value or the result is exactly 1, and
    where a derivative is infinite (v = 0 in the families of powers with p < 1), they are 0.
    """

    p: Scalar | None = None

    name: ClassVar[str] = ""
    range_of_p: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        if cls.name:
            T_CONORMS[cls.name] = cls

    def __post_init__(self) -> None:
        if (self.range_of_p is None) != (self.p is None):
            raise ValueError(f"p: {self.name} expects {self.range_of_p or 'None, as it has none'}, got {self.p}")
        if self.p is not None and self.range_of_p is not None:
            check_number("p", self.p, self.range_of_p, lambda p: math.isfinite(p) and self._accepts(p))

    def pair(self, a: Float[Tensor, "*#shape"], b: Float[Tensor, "*#shape"]) -> Float[Tensor, "*shape"]:
        """S(a, b); the shapes broadcast."""
        return self.reduce(torch.stack(torch.broadcast_tensors(a, b), dim=-1), dim=-1)

    def reduce(
        self, v: Float[Tensor, "*shape"], dim: int, log_survival: Float[Tensor, "*shape"] | None = None
    ) -> Float[Tensor, "*reduced"]:
        """S over one dimension, 0 where that is empty.

        `log_survival` = ln(1 − v), if it is known better than v can tell it, keeps the precision where v is near 1.
        """
        if v.shape[dim] == 0:
            return v.sum(dim)
        return self._value(v, _level(v) if log_survival is None else -log_survival, dim)

    def dual_pair(self, a: Float[Tensor, "*#shape"], b: Float[Tensor, "*#shape"]) -> Float[Tensor, "*shape"]:
        """The dual T-norm T(a, b) = 1 − S(1 − a, 1 − b), a relaxed `and`."""
        return self.dual_reduce(torch.stack(torch.broadcast_tensors(a, b), dim=-1), dim=-1)

    def dual_reduce(self, v: Float[Tensor, "*shape"], dim: int) -> Float[Tensor, "*reduced"]:
        """The dual T-norm over one dimension, 1 where that is empty."""
        return 1 - self.reduce(1 - v, dim, log_survival=_log(v))

    def parameter(self, dtype: torch.dtype, device: torch.device | str) -> Float[Tensor, ""]:
        """p as a tensor, differentiable if it is one; 0 where there is none."""
        return as_parameter(0.0 if self.p is None else self.p, torch.empty((), dtype=dtype, device=device))

    def _accepts(self, p: float) -> bool:
        return p > 0

    def _parameter_like(self, v: Tensor) -> Tensor:
        return self.parameter(v.dtype, v.device)

    @abc.abstractmethod
    def _value(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        """S over a dimension that is not empty, from the values and their levels −ln(1 − v)."""


class LevelTConorm(TConorm):
    """A T-conorm that is best evaluated through the level of its result."""

    def _value(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        # A level so large that its exponential vanishes decides the result, and would overflow on the way to it.
        saturated = level > math.sqrt(torch.finfo(v.dtype).max)
        v, level = torch.where(saturated, 0.0, v), torch.where(saturated, 0.0, level)
        return torch.where(saturated.any(dim), 1.0, one_minus_exp(self._result_level(v, level, dim)))

    @abc.abstractmethod
    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        """Λ = −ln(1 − S), for finite levels."""


def t_conorm(name: str, p: Scalar | None = None) -> TConorm:
    """The T-conorm called `name`, one of `T_CONORMS`.

    `p` is a number, a tensor of shape () or an `nn.Parameter`, which then gets gradients: hamacher p ≥ 0; frank,
    yager, aczel_alsina and dombi p > 0; schweizer_sklar p ≤ 0. The limits hamacher 0, frank 1 and schweizer_sklar 0 are
    included. max, probabilistic and einstein take none.

    Raises ValueError for an unknown name, and for a p that is out of range, missing or not taken.

    >>> t_conorm("probabilistic").pair(torch.tensor(0.5), torch.tensor(0.5))
    tensor(0.7500)
    """
    if name not in T_CONORMS:
        raise ValueError(f"name: expected one of {', '.join(T_CONORMS)}, got {name!r}")
    return T_CONORMS[name](p)


def _level(v: Tensor) -> Tensor:
    """−ln(1 − v); inf, with derivative 0, at v = 1."""
    inside = v < 1
    return torch.where(inside, -torch.log1p(-torch.where(inside, v, 0.0)), math.inf)


def _log(v: Tensor) -> Tensor:
    """ln v; −inf, with derivative 0, at v = 0."""
    inside = v > 0
    return torch.where(inside, torch.log(torch.where(inside, v, 1.0)), -math.inf)


def _log_power_sum(base: Tensor, log_base: Tensor, p: Tensor, dim: int) -> Tensor:
    """ln((Σ baseᵖ)^(1/p)), p > 0, from ln(base) < inf: the largest plus at most ln(n)/p.

    Bases of 0 carry no gradient, except for p = 1.
    """
    positive = log_base > -math.inf
    largest = log_base.amax(dim, keepdim=True).detach()
    some = largest > -math.inf
    largest = torch.where(some, largest, 0.0)
    powers = torch.where(positive, torch.exp(p * (torch.where(positive, log_base, largest) - largest)), 0.0)
    linear = torch.where((base == 0) & (p == 1), base, 0.0)
    linear = linear * torch.exp(-torch.clamp(largest, min=math.log(torch.finfo(base.dtype).tiny)))
    total = torch.where(some, (powers + linear).sum(dim, keepdim=True), 1.0)
    return torch.where(some, largest + torch.log(total) / p, -math.inf).squeeze(dim)


def _linear_at_zero(v: Tensor, linear: Tensor, dim: int) -> Tensor:
    """Σ v where all v are 0 and S has derivative 1 in each of them, which no logarithm can tell; else 0."""
    return torch.where((v == 0).all(dim) & linear, v.sum(dim), 0.0)


def _exp(t: Tensor) -> Tensor:
    """exp(t), without gradient where t is −inf, and where the result is inf."""
    zero, overflow = t == -math.inf, t >= math.log(torch.finfo(t.dtype).max)
    result = torch.exp(torch.where(zero | overflow, 0.0, t))
    return torch.where(zero, 0.0, torch.where(overflow, math.inf, result))


def _inverse(x: Tensor, q: Tensor) -> Tensor:
    """ln(1 + q x)/q, which is x at q = 0."""
    y = q * x
    near = y < 1  # beyond, the derivative of the quotient underflows in float32
    near_value = x * log1p_ratio(torch.where(near, y, 0.0))
    return torch.where(near, near_value, torch.log1p(torch.where(near, 1.0, y)) / torch.where(near, 1.0, q))


class Max(TConorm):
    """S = max vᵢ, the smallest T-conorm; tied maxima share the gradient."""

    name = "max"

    def _value(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        return v.amax(dim)


class Probabilistic(LevelTConorm):
    """S = 1 − Π(1 − vᵢ): s(v) = −ln(1 − v)."""

    name = "probabilistic"

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        return level.sum(dim)


class Einstein(TConorm):
    """S(a, b) = (a + b)/(1 + ab): s(v) = artanh v."""

    name = "einstein"

    def _value(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        twice_u = (torch.log1p(v) + level).sum(dim)
        return one_minus_exp(twice_u) / (1 + torch.exp(-twice_u))  # tanh u


class Hamacher(LevelTConorm):
    """S(a, b) = (a + b + (p − 2)ab)/(1 + (p − 1)ab): s(v) = ln(1 + p v/(1 − v))/p, p ≥ 0; v/(1 − v) at p = 0."""

    name = "hamacher"
    range_of_p = "a finite number >= 0"

    def _accepts(self, p: float) -> bool:
        return p >= 0

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        p = self._parameter_like(v)
        log_p = _log(p)
        # ln(1 + p o) of the odds o = e^L - 1; where these overflow ln(p o), unless p is as tiny as they are large.
        largest = 0.9 * math.log(torch.finfo(v.dtype).max)
        odds = torch.expm1(torch.clamp(level, max=largest))
        far = (level > largest) & (log_p > -largest / 2)
        u = odds * log1p_ratio(p * odds)
        u = torch.where(far, (torch.where(far, level, 0.0) + log_p) / torch.where(p > 0, p, 1.0), u).sum(dim)
        # The odds r of S are (e^pu - 1)/p, and its level ln(1 + r).
        near = p * u <= 1
        near_u = torch.where(near, u, 0.0)
        x = torch.where(near, 1.0, p * u)
        log_r = x + log1mexp(x) - torch.where(near, 0.0, log_p)
        return torch.where(near, torch.log1p(near_u * expm1_ratio(p * near_u)), softplus(log_r))


class Frank(LevelTConorm):
    """S = 1 − log_p(1 + (p − 1)e^−u): s(v) = −ln((p^(1−v) − 1)/(p − 1)), p > 0; −ln(1 − v) at p = 1."""

    name = "frank"
    range_of_p = "a finite number > 0"

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        q = torch.log(self._parameter_like(v))
        # s from 1 - e^-s while that is small, and from e^-s above; as smooth functions of q, for q = 0 is the limit.
        e = v * expm1_ratio(-q * v) / expm1_ratio(-q)
        small = e <= 0.5
        high = level - torch.log(expm1_ratio(q * torch.exp(-level)) / expm1_ratio(q))
        u = torch.where(small, -torch.log1p(-torch.where(small, e, 0.0)), high).sum(dim)
        # Back in the same two ways: to S itself, or to the logarithm of 1 - S.
        small = u <= LN2
        low_u, high_u = torch.where(small, u, 0.0), torch.where(small, LN2, u)
        low = -torch.log1p(-_inverse(one_minus_exp(low_u) * expm1_ratio(-q), -q))
        y = torch.expm1(q) * torch.exp(-high_u)
        near = high_u - torch.log(expm1_ratio(q) * log1p_ratio(torch.where(y < 1, y, 0.0)))
        far = -torch.log(torch.log1p(torch.where(y < 1, 1.0, y)) / torch.where(y < 1, 1.0, q))
        return torch.where(small, low, torch.where(y < 1, near, far))


class Yager(TConorm):
    """S = min(1, (Σ vᵢ^p)^(1/p)): s(v) = v^p, p > 0; clipped at 1."""

    name = "yager"
    range_of_p = "a finite number > 0"

    def _value(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        p = self._parameter_like(v)
        log_s = _log_power_sum(v, _log(v), p, dim)
        clipped = log_s >= 0
        return torch.where(clipped, 1.0, _exp(torch.where(clipped, 0.0, log_s))) + _linear_at_zero(v, p == 1, dim)


class AczelAlsina(LevelTConorm):
    """S = 1 − exp(−(Σ Lᵢ^p)^(1/p)), L = −ln(1 − v): s(v) = L^p, p > 0."""

    name = "aczel_alsina"
    range_of_p = "a finite number > 0"

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        p = self._parameter_like(v)
        return _exp(_log_power_sum(level, _log(level), p, dim)) + _linear_at_zero(v, p == 1, dim)


class Dombi(LevelTConorm):
    """S = r/(1 + r), r = (Σ oᵢ^p)^(1/p), with the odds o = v/(1 − v): s(v) = o^p, p > 0."""

    name = "dombi"
    range_of_p = "a finite number > 0"

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        p = self._parameter_like(v)
        return softplus(_log_power_sum(v, _log(v) + level, p, dim)) + _linear_at_zero(v, p == 1, dim)


class SchweizerSklar(LevelTConorm):
    """S = 1 − (1 − p u)^(1/p): s(v) = ((1 − v)^p − 1)/(−p), p ≤ 0; −ln(1 − v) at p = 0."""

    name = "schweizer_sklar"
    range_of_p = "a finite number <= 0"

    def _accepts(self, p: float) -> bool:
        return p <= 0

    def _result_level(self, v: Tensor, level: Tensor, dim: int) -> Tensor:
        k = -self._parameter_like(v)
        # ln s, s = (e^x - 1)/k with x = k L, in a form for each end; k = 0 is the limit s = L.
        x = k * level
        small = x <= 1
        log_k = torch.log(torch.where(k > 0, k, 1.0))
        near = _log(level) + torch.log(expm1_ratio(torch.where(small, x, 0.0)))
        far = torch.where(small, 1.0, x)
        log_s = torch.where(small, near, far + log1mexp(far) - log_k)
        log_u = _log_power_sum(level, log_s, torch.ones_like(k), dim)
        # Λ = ln(1 + k u)/k.
        small = (log_u < -log_k) | (k <= 0)
        u = _exp(torch.where(small, log_u, 0.0))
        near = u * log1p_ratio(torch.where(u < math.inf, k * u, 0.0))
        far = softplus(log_k + torch.where(small, 0.0, log_u)) / torch.where(k > 0, k, 1.0)
        return torch.where(small, near, far) + _linear_at_zero(v, k >= 0, dim)
