"""Relaxed comparisons, logic, extrema and indexing on plain tensors: limits, ties, duals, gradients."""

from __future__ import annotations

import math

import pytest
import torch

from renderer.relax import T_CONORMS, comparisons, t_conorm

F64 = torch.float64
SHARP = 1e6
P = {"hamacher": 1.7, "frank": 2.5, "yager": 2.3, "aczel_alsina": 1.6, "dombi": 1.4, "schweizer_sklar": -1.5}


def reals(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("distribution", ["logistic", "gaussian", "cauchy", "uniform"])
def test_comparisons_become_pythons(distribution: str) -> None:
    a, b = reals(0, 200), reals(1, 200)
    options = {"beta": 1e9, "distribution": distribution}
    for relaxed, hard in (
        (comparisons.less, a < b),
        (comparisons.greater, a > b),
        (comparisons.less_equal, a <= b),
        (comparisons.greater_equal, a >= b),
    ):
        torch.testing.assert_close(relaxed(a, b, **options), hard.to(F64), atol=1e-6, rtol=0)


def test_integers_are_right_at_ties() -> None:
    i, n = torch.arange(5), 2
    for relaxed, hard in (
        (comparisons.less, i < n),
        (comparisons.less_equal, i <= n),
        (comparisons.greater, i > n),
        (comparisons.greater_equal, i >= n),
        (comparisons.equal, i == n),
    ):
        assert torch.equal(relaxed(i, n, beta=SHARP), hard.float())
    torch.testing.assert_close(comparisons.less(i, n, beta=3.0), torch.sigmoid(3.0 * (n - i - 0.5)))


def test_equal_is_a_window_and_sech2_is_one_at_equality() -> None:
    a = torch.tensor([1.0, 1.004, 1.02, math.inf], dtype=F64)
    b = torch.tensor([1.0, 1.0, 1.0, math.inf], dtype=F64)
    assert comparisons.equal(a, b, beta=SHARP).round().tolist() == [1, 1, 0, 1]
    assert comparisons.equal(a[:1], b[:1], beta=2.0, window="sech2") == 1
    expected = 1 / math.cosh(2.0 * 0.02 / 2) ** 2
    assert float(comparisons.equal(a[2:3], b[2:3], beta=2.0, window="sech2")) == pytest.approx(expected)


@pytest.mark.parametrize("name", list(T_CONORMS))
def test_and_is_the_dual_of_or(name: str) -> None:
    s = t_conorm(name, P.get(name))
    p = torch.rand(3, 50, dtype=F64, generator=torch.Generator().manual_seed(2))
    both = comparisons.logical_and(*p, t_conorm=s)
    either = comparisons.logical_or(*(comparisons.logical_not(q) for q in p), t_conorm=s)
    torch.testing.assert_close(both, 1 - either, atol=1e-12, rtol=0)
    truth = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]], dtype=F64)
    torch.testing.assert_close(comparisons.logical_and(*truth, t_conorm=s), truth[0] * truth[1])
    torch.testing.assert_close(comparisons.logical_or(*truth, t_conorm=s), torch.maximum(*truth))


def test_where_keeps_infinities() -> None:
    p = torch.tensor([0.0, 0.25, 1.0], dtype=F64)
    torch.testing.assert_close(comparisons.where(p, 2.0, 4.0), torch.tensor([4.0, 3.5, 2.0], dtype=F64))
    infinite = comparisons.where(p, math.inf, torch.full((3,), 4.0, dtype=F64))
    assert infinite.tolist() == [4.0, math.inf, math.inf]


@pytest.mark.parametrize("kind", ["logsumexp", "mean", "hard"])
def test_extrema(kind: str) -> None:
    x, beta = reals(3, 20, 7), 4.0
    bound = 1e-12 if kind == "hard" else math.log(7) / beta
    for relaxed, hard in ((comparisons.max, x.amax(1)), (comparisons.min, x.amin(1))):
        assert (relaxed(x, 1, beta=beta, kind=kind) - hard).abs().max() <= bound
        torch.testing.assert_close(relaxed(x, 1, beta=1e7, kind=kind), hard, atol=1e-6, rtol=0)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(comparisons.max(leaf, 1, beta=beta).sum(), leaf)
    torch.testing.assert_close(gradient, comparisons.argmax(x, 1, beta=beta))
    assert torch.equal(comparisons.argmin(x, 1, beta=1e9).argmax(1), x.argmin(1))
    assert comparisons.max(torch.tensor([1.0, math.inf]), 0, beta=1.0, kind=kind) == math.inf


def test_indexing_becomes_pythons() -> None:
    a = reals(4, 6, 5)
    i = torch.tensor([0, 1, 2, 3, 4, 2])
    picked = comparisons.take(a, i, beta=SHARP)
    torch.testing.assert_close(picked, a.gather(1, i[:, None]).squeeze(1))
    written = comparisons.put(a, i, 7.0, beta=SHARP)
    torch.testing.assert_close(written, a.scatter(1, i[:, None], 7.0))
    weights = comparisons.index_weights(torch.tensor([-3.0, 1.4, 99.0], dtype=F64), 5, beta=2.0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, dtype=F64))
    assert weights[0].argmax() == 0
    assert weights[2].argmax() == 4
    x = torch.tensor([-1.6, 0.3, 2.9], dtype=F64)
    torch.testing.assert_close(comparisons.floor(x, beta=SHARP), x.floor())


def test_gradcheck() -> None:
    a, b = reals(5, 4).requires_grad_(), reals(6, 4).requires_grad_()
    beta = torch.tensor(1.5, dtype=F64, requires_grad=True)

    def everything(a: torch.Tensor, b: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        p = comparisons.logical_or(comparisons.less(a, b, beta=beta), comparisons.equal(a, b, beta=beta, window=0.3))
        mixed = comparisons.where(p, a * b, comparisons.max(torch.stack([a, b]), 0, beta=beta))
        return mixed + comparisons.take(torch.stack([a, b, a - b], -1), a + 1, beta=beta)

    assert torch.autograd.gradcheck(everything, (a, b, beta))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: comparisons.less(x, 0.0, beta=0.0), "beta: expected a finite number > 0"),
        (lambda x: comparisons.less(x, 0.0, beta=1.0, distribution="normal"), "name: expected one of hard"),
        (lambda x: comparisons.equal(x, 0.0, beta=1.0, window=-1.0), "window: expected"),
        (lambda x: comparisons.max(x, 0, beta=1.0, kind="soft"), "kind: expected one of"),
        (lambda x: comparisons.index_weights(x, 0, beta=1.0), "size: expected at least 1"),
    ],
)
def test_errors_are_one_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call(torch.ones(3))
    assert "\n" not in str(caught.value)
