"""Every T-conorm, from the registry: values, derivatives, limits, saturation."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from renderer.relax import T_CONORMS, TConorm, t_conorm
from renderer.relax.elementary import one_minus_exp
from tests.oracle import closed_forms

P = {
    "hamacher": [0.0, 1e-7, 0.3, 1.0, 2.0, 50.0],
    "frank": [1e-6, 0.02, 0.9999, 1.0, 1.0001, 5.0, 1e6],
    "yager": [0.1, 1.0, 2.3, 50.0],
    "aczel_alsina": [0.1, 1.0, 2.3, 50.0],
    "dombi": [0.1, 1.0, 2.3, 50.0],
    "schweizer_sklar": [0.0, -1e-7, -0.4, -1.0, -8.0, -50.0],
}
CASES = [(name, p) for name in T_CONORMS for p in P.get(name, [None])]
WITH_P = [(name, p) for name, p in CASES if p is not None]
POWERS = ("yager", "aczel_alsina", "dombi")
VALUES = [
    [0.3, 0.2, 0.05, 0.1],
    [1e-9, 3e-7, 2e-8, 1e-6],
    [0.0, 0.4, 0.0, 0.02],
    [0.9, 0.99, 0.5, 0.999],
    [0.1, 0.1, 0.1, 0.1],
    [0.7, 0.0, 0.0, 0.0],
]


def union(v: list[float], name: str, p: float | None) -> mp.mpf:
    return closed_forms.union(name, p, [mp.mpf(x) for x in v])


@pytest.mark.parametrize(("name", "p"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
def test_equals_the_closed_form(name: str, p: float | None, dtype: torch.dtype, tolerance: float) -> None:
    v = torch.tensor(VALUES, dtype=dtype)
    expected = torch.tensor([float(union(row, name, p)) for row in v.tolist()], dtype=torch.float64)
    got = t_conorm(name, p).reduce(v, dim=-1)
    assert got.dtype == dtype
    # A p near 1 is rounded to float32, so p and the oracle differ in S by about that rounding.
    torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize(("name", "p"), CASES)
def test_gradient_equals_the_closed_form(name: str, p: float | None) -> None:
    v = torch.tensor(VALUES, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(t_conorm(name, p).reduce(v, dim=-1).sum(), v)
    h = mp.mpf(10) ** -25
    for row, slopes in zip(v.tolist(), gradient.tolist(), strict=True):
        for k, slope in enumerate(slopes):
            if row[k] == 0 and name in POWERS and p < 1:
                assert slope == 0  # it is infinite there, and set to 0
                continue
            if name == "max" and row.count(row[k]) > 1:
                assert slope == (1 / row.count(row[k]) if row[k] == max(row) else 0)
                continue
            values = [[mp.mpf(x) + d * (i == k) for i, x in enumerate(row)] for d in (0, h)]
            low, high = (closed_forms.union(name, p, side) for side in values)
            assert slope == pytest.approx(float((high - low) / h), rel=1e-11, abs=1e-14)


@pytest.mark.parametrize(("name", "p"), WITH_P)
def test_gradient_in_p_equals_the_closed_form(name: str, p: float) -> None:
    parameter = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    h = mp.mpf(10) ** -25 * (abs(p) or 1) * (-1 if name == "schweizer_sklar" else 1)
    for row in VALUES:
        value = t_conorm(name, parameter).reduce(torch.tensor(row, dtype=torch.float64), dim=-1)
        (slope,) = torch.autograd.grad(value, parameter)
        # An oracle at p itself is the limit form for some p, whose neighbours the general form must approach.
        with mp.workdps(100):  # where that limit is a quotient of differences
            low, high = (union(row, name, mp.mpf(p) + k * h) for k in (1, 2))
            expected = float((high - low) / h)
        assert slope.item() == pytest.approx(expected, rel=1e-10, abs=1e-13 / max(abs(p), 1e-3))


@pytest.mark.parametrize(("name", "p"), CASES)
def test_gradcheck(name: str, p: float | None) -> None:
    v = torch.tensor([[0.3, 0.25, 0.05], [0.1, 0.02, 0.6]], dtype=torch.float64, requires_grad=True)
    if p is None:
        assert gradcheck(lambda v: t_conorm(name).reduce(v, dim=-1), (v,))
        assert gradgradcheck(lambda v: t_conorm(name).reduce(v, dim=-1), (v,))
    elif p not in (0.0, 1e-6, 1e-7, -1e-7):  # the ends of the range of p, where no difference can be taken
        parameter = torch.tensor(p, dtype=torch.float64, requires_grad=True)
        assert gradcheck(lambda v, p: t_conorm(name, p).reduce(v, dim=-1), (v, parameter))
        if p < 50:
            assert gradgradcheck(lambda v, p: t_conorm(name, p).reduce(v, dim=-1), (v, parameter), atol=1e-3)


@pytest.mark.parametrize(("name", "p"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_at_the_extremes(name: str, p: float | None, dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).tiny
    values = [0.0, tiny, 1e-20, 1e-3, 0.5, 1 - 1e-7, 1.0]
    v = torch.tensor([[a, b] for a in values for b in values], dtype=dtype, requires_grad=True)
    parameter = None if p is None else torch.tensor(p, dtype=dtype, requires_grad=True)
    t = t_conorm(name, parameter)
    for log_survival in (None, torch.log1p(-v.detach()), -v.detach() * 300):
        log_survival = None if log_survival is None else log_survival.requires_grad_()
        S = t.reduce(v, dim=-1, log_survival=log_survival)
        assert ((S >= 0) & (S <= 1)).all()
        inputs = [x for x in (v, parameter, log_survival) if x is not None]
        for gradient in torch.autograd.grad(S.sum(), inputs, allow_unused=True):
            assert gradient is None or torch.isfinite(gradient).all()
    a, b = torch.tensor(0.0, dtype=dtype), torch.tensor(1.0, dtype=dtype)
    assert t.pair(a, b) == t.pair(b, a) == t.pair(b, b) == 1
    assert t.pair(a, a) == 0


@pytest.mark.parametrize(("name", "p"), [(name, p) for name, p in CASES if name not in ("max", "yager") and p != 0.1])
def test_log_survival_keeps_the_gradient_at_saturation(name: str, p: float | None) -> None:
    """In float32 v = 1 for both; the one that is farther from 1 still moves S, as it does in float64."""
    gradients = []
    for dtype in (torch.float32, torch.float64):
        level = torch.tensor([25.0, 24.0], dtype=dtype, requires_grad=True)
        S = t_conorm(name, p).reduce(one_minus_exp(level), dim=-1, log_survival=-level)
        gradients.append(torch.autograd.grad(S, level)[0].double())
    assert (gradients[0][:1] > 0).all()
    torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-4, atol=0)


@pytest.mark.parametrize(
    ("name", "p", "limit", "limit_p", "tolerance"),
    [
        ("hamacher", 1.0, "probabilistic", None, 1e-14),
        ("hamacher", 2.0, "einstein", None, 1e-14),
        ("hamacher", 1e-12, "hamacher", 0.0, 1e-11),
        ("frank", 1.0, "probabilistic", None, 1e-14),
        ("frank", 1 + 1e-12, "probabilistic", None, 1e-11),
        ("frank", 1e-200, "max", None, 0.01),
        ("frank", 1e200, "yager", 1.0, 0.01),
        ("yager", 1e4, "max", None, 1e-3),
        ("aczel_alsina", 1.0, "probabilistic", None, 1e-14),
        ("aczel_alsina", 1e4, "max", None, 1e-3),
        ("dombi", 1.0, "hamacher", 0.0, 1e-14),
        ("dombi", 1e4, "max", None, 1e-3),
        ("schweizer_sklar", 0.0, "probabilistic", None, 1e-14),
        ("schweizer_sklar", -1e-12, "probabilistic", None, 1e-11),
        ("schweizer_sklar", -1.0, "hamacher", 0.0, 1e-14),
        ("schweizer_sklar", -1e4, "max", None, 1e-3),
    ],
)
def test_limits(name: str, p: float, limit: str, limit_p: float | None, tolerance: float) -> None:
    v = torch.tensor(VALUES, dtype=torch.float64)
    torch.testing.assert_close(
        t_conorm(name, p).reduce(v, -1), t_conorm(limit, limit_p).reduce(v, -1), rtol=tolerance, atol=tolerance
    )


def test_bounded_sum() -> None:
    assert t_conorm("yager", 1.0).pair(torch.tensor(0.25), torch.tensor(0.5)).item() == pytest.approx(0.75)
    assert t_conorm("yager", 1.0).pair(torch.tensor(0.75), torch.tensor(0.5)).item() == 1


def test_max_shares_the_gradient_of_ties() -> None:
    v = torch.tensor([0.4, 0.2, 0.4, 0.4], requires_grad=True)
    t_conorm("max").reduce(v, dim=0).backward()
    torch.testing.assert_close(v.grad, torch.tensor([1 / 3, 0, 1 / 3, 1 / 3]))


@pytest.mark.parametrize(("name", "p"), CASES)
def test_reduce_folds_pairs_in_any_dimension(name: str, p: float | None) -> None:
    t: TConorm = t_conorm(name, p)
    v = torch.tensor(VALUES, dtype=torch.float64).T.reshape(2, 2, 6) * 0.7
    folded = t.pair(t.pair(v[0, 0], v[0, 1]), t.pair(v[1, 0], v[1, 1]))
    torch.testing.assert_close(t.reduce(v.reshape(4, 6), dim=0), folded, rtol=1e-12, atol=1e-300)
    torch.testing.assert_close(t.reduce(v.reshape(4, 6).T, dim=-1), folded, rtol=1e-12, atol=1e-300)
    assert t.reduce(v[:, :0], dim=1).tolist() == torch.zeros(2, 6).tolist()


@pytest.mark.parametrize(("name", "p"), CASES)
def test_dual_t_norm(name: str, p: float | None) -> None:
    t = t_conorm(name, p)
    v = torch.tensor([VALUES[0], VALUES[2], VALUES[3]], dtype=torch.float64)
    torch.testing.assert_close(t.dual_reduce(1 - v, dim=-1), 1 - t.reduce(v, dim=-1), rtol=0, atol=1e-12)
    torch.testing.assert_close(t.dual_pair(v[0], v[2]), 1 - t.pair(1 - v[0], 1 - v[2]), rtol=0, atol=1e-12)
    zero, half, one = (torch.tensor(x) for x in (0.0, 0.5, 1.0))
    assert t.dual_pair(zero, half) == 0
    assert t.dual_pair(one, half).item() == pytest.approx(0.5)
    assert t.dual_reduce(v[:, :0], dim=1).tolist() == [1.0] * 3


def test_broadcasting() -> None:
    S = t_conorm("probabilistic").pair(torch.rand(3, 1), torch.rand(1, 4))
    assert S.shape == (3, 4)
    assert not math.isnan(S.sum())
