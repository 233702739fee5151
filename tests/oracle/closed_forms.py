"""The distributions and T-conorms from their textbook formulas, in mpmath at high precision, one number at a time."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 50
Number = mp.mpf


def _symmetric(tail: Callable[[Number], Number]) -> Callable[..., tuple[Number, Number]]:
    def probabilities(z: Number, shape: Number, shift: Number) -> tuple[Number, Number]:
        t = tail(abs(z))
        return (t, 1 - t) if z < 0 else (1 - t, t)

    return probabilities


def _one_sided(lower: Callable, upper: Callable, mirrored: bool) -> Callable[..., tuple[Number, Number]]:
    def probabilities(z: Number, shape: Number, shift: Number) -> tuple[Number, Number]:
        y = shift - z if mirrored else z + shift
        below, above = (lower(y, shape), upper(y, shape)) if y > 0 else (mp.mpf(0), mp.mpf(1))
        return (above, below) if mirrored else (below, above)

    return probabilities


def _u(t: Number) -> Number:
    return max((1 - t) / 2, mp.mpf(0))


def _gumbel(w: Number) -> tuple[Number, Number]:
    return mp.exp(-w), -mp.expm1(-w)


EXPONENTIAL = (lambda y, p: -mp.expm1(-y), lambda y, p: mp.exp(-y))
GAMMA = (
    lambda y, p: mp.gammainc(p, 0, y, regularized=True),
    lambda y, p: mp.gammainc(p, y, mp.inf, regularized=True),
)
LEVY = (lambda y, p: mp.erfc(1 / mp.sqrt(2 * y)), lambda y, p: mp.erf(1 / mp.sqrt(2 * y)))

# name -> (F, 1 - F) of (z, shape, shift)
PROBABILITIES: dict[str, Callable[..., tuple[Number, Number]]] = {
    "hard": lambda z, p, s: (mp.mpf(1), mp.mpf(0)) if z > 0 else (mp.mpf(0), mp.mpf(1)),
    "uniform": _symmetric(_u),
    "cubic_hermite": _symmetric(lambda t: 3 * _u(t) ** 2 - 2 * _u(t) ** 3),
    "wigner_semicircle": _symmetric(lambda t: (mp.acos(t) - t * mp.sqrt(1 - t * t)) / mp.pi if t < 1 else mp.mpf(0)),
    "gaussian": _symmetric(lambda t: mp.erfc(t / mp.sqrt(2)) / 2),
    "laplace": _symmetric(lambda t: mp.exp(-t) / 2),
    "logistic": _symmetric(lambda t: 1 / (1 + mp.exp(t))),
    "gudermannian": _symmetric(lambda t: 2 / mp.pi * mp.atan(mp.exp(-t))),
    "cauchy": _symmetric(lambda t: mp.atan2(1, t) / mp.pi),
    "reciprocal": _symmetric(lambda t: 1 / (2 * (1 + t))),
    "optimal": _symmetric(lambda t: mp.mpf(1) / 2 - t if t <= mp.mpf(1) / 4 else 1 / (16 * t)),
    "gumbel_max": lambda z, p, s: _gumbel(mp.exp(-z)),
    "gumbel_min": lambda z, p, s: _gumbel(mp.exp(z))[::-1],
    "exponential": _one_sided(*EXPONENTIAL, False),
    "exponential_rev": _one_sided(*EXPONENTIAL, True),
    "gamma": _one_sided(*GAMMA, False),
    "gamma_rev": _one_sided(*GAMMA, True),
    "levy": _one_sided(*LEVY, False),
    "levy_rev": _one_sided(*LEVY, True),
}


def density(name: str, z: Number, shape: Number, shift: Number) -> Number:
    """f(z) as the central difference of F, or of 1 − F where that is the smaller, at 50 digits."""
    h = mp.mpf(10) ** -20 * max(abs(z), mp.mpf(10) ** -3)
    (low, above_low), (high, above_high) = (PROBABILITIES[name](z + d, shape, shift) for d in (-h, h))
    return ((high - low) if low < 0.5 else (above_low - above_high)) / (2 * h)


# name -> (s, s^-1) of p. S = s^-1(min(s(1), Σ s(v))).
GENERATORS: dict[str, Callable[[Number], tuple[Callable, Callable]]] = {
    "probabilistic": lambda p: (lambda v: -mp.log1p(-v), lambda u: -mp.expm1(-u)),
    "einstein": lambda p: (mp.atanh, mp.tanh),
    "hamacher": lambda p: (
        (lambda v: v / (1 - v), lambda u: u / (1 + u))
        if p == 0
        else (lambda v: mp.log1p(p * v / (1 - v)), lambda u: mp.expm1(u) / (p + mp.expm1(u)))
    ),
    "frank": lambda p: (
        GENERATORS["probabilistic"](p)
        if p == 1
        else (
            lambda v: -mp.log((p ** (1 - v) - 1) / (p - 1)),
            lambda u: 1 - mp.log1p((p - 1) * mp.exp(-u)) / mp.log(p),
        )
    ),
    "yager": lambda p: (lambda v: v**p, lambda u: min(u, 1) ** (1 / p)),
    "aczel_alsina": lambda p: (lambda v: (-mp.log1p(-v)) ** p, lambda u: -mp.expm1(-(u ** (1 / p)))),
    "dombi": lambda p: (lambda v: (v / (1 - v)) ** p, lambda u: 1 / (1 + u ** (-1 / p)) if u > 0 else mp.mpf(0)),
    "schweizer_sklar": lambda p: (
        GENERATORS["probabilistic"](p)
        if p == 0
        else (lambda v: ((1 - v) ** p - 1) / -p, lambda u: 1 - (1 - p * u) ** (1 / p))
    ),
}


def union(name: str, p: float | None, values: list[Number]) -> Number:
    """S of all values, each below 1, by the additive generator."""
    if name == "max":
        return max(values)
    s, inverse = GENERATORS[name](mp.mpf(p or 0))
    return inverse(mp.fsum(s(v) for v in values if v > 0)) if any(v > 0 for v in values) else mp.mpf(0)
