"""Every distribution, from the registry: values, derivatives, logarithms, saturation and identities."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck, gradgradcheck

from renderer.relax import DISTRIBUTIONS, Distribution, distribution
from tests.oracle import closed_forms

SMOOTH = [name for name in DISTRIBUTIONS if name != "hard"]
Z = np.concatenate([np.linspace(-7, 7, 29), [-1 + 1e-6, 1 - 1e-6, -1e-9, 1e-9, 0.05, -40, 40, 300, -300]])


def variants(name: str) -> list[dict]:
    """Parameters worth trying: some shapes, some shifts."""
    cls = DISTRIBUTIONS[name]
    shapes = [0.05, 0.5, 1.0, 9.9, 60.0] if cls.has_shape else [None]
    shifts = [0.0, 0.7] if cls.has_shift and not cls.has_shape else [0.0]
    return [{"shape": shape, "shift": shift} for shape in shapes for shift in shifts]


def make(name: str, scale: float | torch.Tensor = 1.0, squared: bool = False, **overrides) -> Distribution:
    return distribution(name, scale=scale, squared=squared, **{**variants(name)[-1], **overrides})


def check(got: torch.Tensor, expected: list, rounding: list, tolerance: float) -> None:
    """Relative to the value, plus what the rounding of z changes, and what underflows."""
    for g, e, r in zip(got.tolist(), expected, rounding, strict=True):
        if mp.isinf(e) or math.isinf(g):
            assert g == e
        else:
            assert abs(mp.mpf(g) - e) <= tolerance * abs(e) + r + 2 * torch.finfo(got.dtype).tiny, (g, e)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_equals_the_closed_form(name: str, dtype: torch.dtype, tolerance: float) -> None:
    for parameters in variants(name) if dtype == torch.float64 else variants(name)[-1:]:
        z = torch.tensor(Z, dtype=dtype)
        shape = mp.mpf(parameters["shape"] or 0)
        # A float32 shape or shift is rounded; choose its rounded value in the oracle too.
        shift = mp.mpf(torch.tensor(parameters["shift"], dtype=dtype).item())
        d = distribution(name, scale=1.0, **parameters)
        points = [mp.mpf(value) for value in z.tolist()]
        both = [closed_forms.PROBABILITIES[name](point, shape, shift) for point in points]
        slope = [abs(closed_forms.density(name, point, shape, shift)) if name != "hard" else 0 for point in points]
        eps = torch.finfo(dtype).eps
        rounding = [4 * eps * (abs(point) + shift) * f for point, f in zip(points, slope, strict=True)]
        check(d.cdf(z), [F for F, _ in both], rounding, tolerance)
        logs = [mp.log(Q) if Q < 0.5 else mp.log1p(-F) if Q > 0 else -mp.inf for F, Q in both]
        hazards = [r / max(Q, mp.mpf(10) ** -3000) if Q > 0 else 0 for r, (_, Q) in zip(rounding, both, strict=True)]
        check(
            d.log_survival(z), [log if log > -torch.finfo(dtype).max else -mp.inf for log in logs], hazards, tolerance
        )


@pytest.mark.parametrize("name", SMOOTH)
def test_pdf_is_the_derivative_of_cdf(name: str) -> None:
    for parameters in variants(name):
        d = distribution(name, scale=1.0, **parameters)
        z = Z[
            (np.abs(np.abs(Z) - 1) > 1e-3) & (Z != 0)
        ]  # the bounded ones have a corner at ±1, the one-sided ones at 0
        expected = [
            closed_forms.density(name, mp.mpf(v), mp.mpf(parameters["shape"] or 0), mp.mpf(parameters["shift"]))
            for v in z
        ]
        check(d.pdf(torch.tensor(z)), expected, [0] * len(z), 2e-12 * (1 + 100 * (parameters["shape"] == 0.05)))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("squared", [False, True])
def test_autograd_of_cdf_is_pdf(name: str, squared: bool) -> None:
    x = torch.cat([torch.linspace(-30, 30, 301), torch.tensor([0.0, 1e-3, -1e-3])]).double().requires_grad_()
    d = make(name, scale=0.7, squared=squared)
    (slope,) = torch.autograd.grad(d.cdf(x).sum(), x)
    corner = ((x * x.abs() if squared else x).abs() / 0.7 - 1).abs() < 1e-9
    torch.testing.assert_close(slope[~corner], d.pdf(x)[~corner], rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("squared", [False, True])
def test_gradcheck_in_everything(name: str, squared: bool) -> None:
    cls = DISTRIBUTIONS[name]
    scale, shape, shift = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 1.7, 0.4))
    x = torch.tensor([-2.1, -0.6, 0.3, 0.9, 2.5], dtype=torch.float64, requires_grad=True)

    def functions(x, scale, *rest):
        rest = list(rest)
        options = {"shape": rest.pop(0)} if cls.has_shape else {}
        d = distribution(name, scale=scale, squared=squared, **options, **({"shift": rest[0]} if cls.has_shift else {}))
        log_survival = d.log_survival(x)
        return d.cdf(x), d.pdf(x), log_survival[torch.isfinite(log_survival)]

    inputs = (x, scale, *([shape] if cls.has_shape else []), *([shift] if cls.has_shift else []))
    assert gradcheck(functions, inputs)
    assert gradgradcheck(functions, inputs, atol=1e-4)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("squared", [False, True])
def test_no_nan_anywhere(name: str, dtype: torch.dtype, squared: bool) -> None:
    extremes = [0.0, 1e-30, 1e-6, 0.5, 1.0, 1.0 - 1e-7, 20.0, 90.0, 800.0, 1e6, 1e18]
    x = torch.tensor([sign * v for v in extremes for sign in (1, -1)], dtype=dtype, requires_grad=True)
    scale = torch.tensor(1.0, dtype=dtype, requires_grad=True)
    for parameters in variants(name):
        d = distribution(name, scale=scale, squared=squared, **parameters)
        density = d.pdf(x)
        assert torch.isfinite(density).all()
        if (parameters["shape"] or 1) >= 1:  # below, the density is so steep near 0 that its slope leaves float32
            assert torch.isfinite(torch.autograd.grad(density.sum(), x)[0]).all()
        for value in (d.cdf(x), torch.exp(d.log_survival(x))):
            assert value.dtype == dtype
            assert torch.isfinite(value).all()
            assert (value >= 0).all()
            for gradient in torch.autograd.grad(value.sum(), (x, scale), retain_graph=True):
                assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_infinite_distance(name: str) -> None:
    d = make(name)
    x = torch.tensor([-math.inf, math.inf], dtype=torch.float64)
    assert d.cdf(x).tolist() == [0, 1]
    assert d.pdf(x).tolist() == [0, 0]
    assert d.log_survival(x).tolist() == [0, -math.inf]


def test_float32_keeps_the_logarithm_where_coverage_saturates() -> None:
    z = torch.tensor([30.0, 80.0])
    for name in ("laplace", "logistic", "gudermannian", "gumbel_max", "exponential", "gamma", "gaussian", "cauchy"):
        d = make(name, **({"shift": 0.0} if DISTRIBUTIONS[name].has_shift else {}))
        assert (d.cdf(z)[1:] == 1).all() or name in ("cauchy", "gamma")
        expected = d.log_survival(z.double())
        assert torch.isfinite(expected).all()
        torch.testing.assert_close(d.log_survival(z).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", [name for name in DISTRIBUTIONS if name + "_rev" in DISTRIBUTIONS])
def test_reversed_is_the_mirror_image(name: str) -> None:
    x = torch.linspace(-9, 9, 41, dtype=torch.float64)
    forward, backward = make(name), make(name + "_rev")
    torch.testing.assert_close(backward.cdf(x), 1 - forward.cdf(-x), rtol=0, atol=1e-14)
    torch.testing.assert_close(backward.pdf(x), forward.pdf(-x), rtol=1e-14, atol=0)
    torch.testing.assert_close(torch.exp(backward.log_survival(x)), forward.cdf(-x), rtol=1e-12, atol=1e-300)


def test_identities() -> None:
    x = torch.linspace(-9, 9, 41, dtype=torch.float64)
    close = {"rtol": 1e-13, "atol": 1e-15}
    largest, smallest = distribution("gumbel_max", scale=0.8), distribution("gumbel_min", scale=0.8)
    torch.testing.assert_close(smallest.cdf(x), 1 - largest.cdf(-x), **close)
    gamma = distribution("gamma", scale=0.8, shape=1.0, shift=0.2)
    exponential = distribution("exponential", scale=0.8, shift=0.2)
    for function in ("cdf", "pdf", "log_survival"):
        torch.testing.assert_close(getattr(gamma, function)(x), getattr(exponential, function)(x), **close)


@pytest.mark.parametrize(
    "name", [name for name in SMOOTH if name not in ("cauchy", "reciprocal", "optimal", "levy", "levy_rev")]
)
def test_variance_is_the_one_of_the_table(name: str) -> None:
    variance = {
        "uniform": 1 / 3, "cubic_hermite": 1 / 5, "wigner_semicircle": 1 / 4, "gaussian": 1, "laplace": 2,
        "logistic": math.pi**2 / 3, "gudermannian": math.pi**2 / 4, "gumbel_max": math.pi**2 / 6,
        "gumbel_min": math.pi**2 / 6, "exponential": 1, "exponential_rev": 1, "gamma": 2.5, "gamma_rev": 2.5,
    }  # fmt: skip
    d = make(name, **({"shape": 2.5} if DISTRIBUTIONS[name].has_shape else {}))
    x = torch.linspace(-60, 60, 1_200_001, dtype=torch.float64)
    f = d.pdf(x) * 1e-4
    mean = (x * f).sum()
    assert ((x - mean) ** 2 * f).sum().item() == pytest.approx(variance[name], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("gaussian", stats.norm),
        ("logistic", stats.logistic),
        ("gudermannian", stats.hypsecant),
        ("cauchy", stats.cauchy),
    ],
)
def test_equals_scipy(name: str, reference: stats.rv_continuous) -> None:
    np.testing.assert_allclose(make(name).cdf(torch.tensor(Z)).numpy(), reference.cdf(Z), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", SMOOTH)
def test_small_scale_is_the_hard_step(name: str) -> None:
    x = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    shift = {"shift": 0.0} if DISTRIBUTIONS[name].has_shift else {}
    torch.testing.assert_close(
        make(name, scale=1e-12, **shift).cdf(x), torch.tensor([0.0, 1.0]).double(), rtol=0, atol=1e-5
    )
