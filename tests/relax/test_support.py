"""Support radii: how far from its outline a face still counts."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax import DISTRIBUTIONS, distribution

# The radii of the specification, in scales, at which F drops below 1e-6.
OUTSIDE = {
    "hard": 0, "uniform": 1, "cubic_hermite": 1, "wigner_semicircle": 1, "gaussian": 4.75, "laplace": 13.1,
    "logistic": 13.8, "gudermannian": 13.4, "cauchy": 3.2e5, "reciprocal": 5e5, "optimal": 6.25e4,
    "gumbel_max": 2.63, "gumbel_min": 13.8,
    "exponential": 0, "exponential_rev": 13.8, "gamma": 0, "gamma_rev": 12, "levy": 0, "levy_rev": 6.4e11,
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_equals_the_table(name: str) -> None:
    shape = 0.5 if DISTRIBUTIONS[name].has_shape else None
    assert distribution(name, scale=1.0, shape=shape).support() == pytest.approx(OUTSIDE[name], rel=0.01)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("eps", [1e-12, 1e-6, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("shift", [0.0, 0.6, -0.6])
def test_is_the_smallest_radius(name: str, squared: bool, eps: float, shift: float) -> None:
    cls = DISTRIBUTIONS[name]
    d = distribution(
        name, scale=2.5, squared=squared, shape=1.7 if cls.has_shape else None, shift=shift if cls.has_shift else 0.0
    )
    outer, inner = d.support(eps), d.inner_support(eps)
    x = torch.tensor([-outer, inner], dtype=torch.float64)
    survival = torch.exp(d.log_survival(x))
    assert d.cdf(x)[0] <= eps
    assert survival[1] <= eps or name == "hard"
    if name in ("hard", "uniform", "cubic_hermite", "wigner_semicircle"):
        return  # the radius where F is 0 and 1, for every eps
    # The other quantity is looked at where it is the smaller one, so that it is not rounded away.
    nearer = torch.tensor([-outer, inner], dtype=torch.float64) * (1 - 1e-6)
    assert outer == 0 or d.cdf(nearer)[0] > eps * (1 - 1e-12)
    assert inner == 0 or torch.exp(d.log_survival(nearer))[1] > eps * (1 - 1e-12)


def test_default_eps() -> None:
    d = distribution("cauchy", scale=1.0)
    assert d.support() == d.support(1e-6)
    d = distribution("cauchy", scale=1.0, support_eps=1e-3)
    assert d.support() == d.support(1e-3) == pytest.approx(1e3 / math.pi, rel=1e-5)


def test_scale_may_be_a_parameter() -> None:
    scale = torch.nn.Parameter(torch.tensor(2.0))
    assert distribution("logistic", scale=scale).support() == 2 * distribution("logistic", scale=1.0).support()
    assert distribution("laplace", scale=scale, squared=True).support(0.05) == pytest.approx(
        math.sqrt(2 * math.log(10))
    )


@pytest.mark.parametrize("eps", [0.0, 1.0, -1.0, math.nan])
def test_eps_out_of_range(eps: float) -> None:
    with pytest.raises(ValueError, match="eps: expected a coverage between 0 and 1"):
        distribution("logistic", scale=1.0).support(eps)
    with pytest.raises(ValueError, match="support_eps: expected"):
        distribution("logistic", scale=1.0, support_eps=eps)
