"""What relaxes a comparator: closed forms, sharpness, errors."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax import distribution
from renderer.sort import RELAXATIONS
from renderer.sort.relaxations import Relaxation, relaxation

WITHOUT_SHAPE = [name for name in RELAXATIONS if name not in ("gamma", "gamma_rev")]


def test_closed_forms_of_the_sorting_families() -> None:
    d = torch.tensor([-3.0, -0.1, 0.05, 0.7], dtype=torch.float64)
    v = 2.0 * d
    torch.testing.assert_close(relaxation("reciprocal", beta=2.0).probability(d), 0.5 * (v / (2 + v.abs()) + 1))
    expected = torch.where(v.abs() <= 0.25, v + 0.5, torch.where(v < 0, -1 / (16 * v), 1 - 1 / (16 * v)))
    torch.testing.assert_close(relaxation("optimal", beta=2.0).probability(d), expected)
    torch.testing.assert_close(
        relaxation("logistic_phi", beta=2.0).probability(d), torch.sigmoid(2 * d / (d.abs() + 1e-10) ** 0.25)
    )
    torch.testing.assert_close(relaxation("cauchy", beta=2.0).probability(d), 0.5 + torch.atan(v) / math.pi)


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("logistic", 0.25),
        ("gaussian", 0.3989422804),
        ("laplace", 0.5),
        ("cauchy", 1 / math.pi),
        ("reciprocal", 0.25),
        ("optimal", 1.0),
    ],
)
def test_slopes_of_the_table(name: str, slope: float) -> None:
    d = torch.zeros((), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(relaxation(name, beta=1.0).probability(d + 1e-12), d)[0].item() == pytest.approx(slope)
    assert torch.autograd.grad(relaxation(name, slope=3.0).probability(d + 1e-12), d)[0].item() == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("logistic", 0.278),
        ("logistic_phi", 0.314),
        ("gaussian", 0.170),
        ("laplace", 0.184),
        ("cauchy", 1 / math.pi),
        ("reciprocal", 1.0),
        ("optimal", 1 / 16),
    ],
)
def test_largest_error_of_the_soft_minimum(name: str, largest: float) -> None:
    """Of min(x, 0) at β = 1, as the specification lists it."""
    x = torch.cat([torch.linspace(-30, 30, 60001), torch.tensor([-1e6, 1e6])]).double()
    stay = relaxation(name, beta=1.0).probability(-x)  # d = 0 - x
    soft = stay * x
    assert (soft - x.clamp(max=0)).abs().max().item() == pytest.approx(largest, abs=6e-4)


def test_a_distribution_of_the_core_brings_its_scale() -> None:
    assert relaxation(distribution("gamma", scale=0.5, shape=2.0, shift=1.0)) == Relaxation("gamma", 2.0, 2.0, 1.0)
    assert relaxation("heaviside") == relaxation("hard")


@pytest.mark.parametrize("name", ["logistic", "laplace", "gaussian", "cauchy", "optimal", "logistic_phi"])
def test_logarithm_goes_on_where_the_probability_underflows(name: str) -> None:
    how = relaxation(name, beta=1.0)
    d = torch.tensor([-2.0, 0.3, 5.0], dtype=torch.float64)
    torch.testing.assert_close(how.log_probability(d), how.probability(d).log())
    assert torch.isfinite(how.log_probability(torch.tensor([-200.0]))).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distribution": "normal"}, "distribution: expected one of hard, uniform"),
        ({"distribution": "gamma"}, "distribution: gamma needs a shape"),
        ({"distribution": "cauchy", "beta": 0.0}, "beta: expected a finite number > 0, got 0.0"),
        ({"distribution": "cauchy", "beta": math.inf}, "beta: expected a finite number > 0, got inf"),
        ({"distribution": "cauchy", "slope": -1.0}, "slope: expected a finite number > 0, got -1.0"),
        ({"distribution": "cauchy", "beta": torch.tensor(1.0)}, "beta: expected a finite number > 0, got tensor"),
        ({"distribution": "cauchy", "beta": 1.0, "slope": 1.0}, "beta, slope: expected one of them"),
        ({"distribution": "hard", "slope": 1.0}, "slope: hard has no slope at 0"),
        ({"distribution": "logistic_phi", "slope": 1.0}, "slope: logistic_phi has no slope at 0"),
        (
            {"distribution": distribution("cauchy", scale=1.0), "beta": 1.0},
            "beta, slope: expected None beside a Distribution",
        ),
        ({"distribution": distribution("cauchy", scale=1.0, squared=True)}, "distribution: expected squared=False"),
        ({"distribution": distribution("cauchy", scale=torch.tensor(1.0))}, "scale: expected a number"),
    ],
)
def test_errors(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relaxation(**arguments)


def test_pairwise_logarithm_refuses_unsymmetric_ones() -> None:
    with pytest.raises(ValueError, match="distribution: expected a symmetric one, got 'gumbel_max'"):
        relaxation("gumbel_max").log_probability(torch.zeros(2))
