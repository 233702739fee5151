"""The public functions: laws of relaxed sorting, shapes and types, softmax sorts, errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from renderer.relax import distribution
from renderer.sort import (
    NETWORKS,
    RELAXATIONS,
    NeuralSort,
    SoftSort,
    apply_permutation,
    soft_argsort,
    soft_permutation,
    soft_rank,
    soft_sort,
    soft_topk,
)

MONOTONE = ("cauchy", "reciprocal", "optimal")
SYMMETRIC = ("uniform", "gaussian", "laplace", "logistic", "cauchy", "reciprocal", "optimal", "logistic_phi")
PLAIN = [name for name in RELAXATIONS if name not in ("gamma", "gamma_rev")]
SOFTMAX = ["softsort", "neuralsort", SoftSort(power=2.0)]
WAYS = [*NETWORKS, *SOFTMAX]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


lists = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=12).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


@pytest.mark.parametrize("relaxation", PLAIN)
@pytest.mark.parametrize("network", NETWORKS)
def test_doubly_stochastic_and_consistent(network: str, relaxation: str) -> None:
    x = numbers(4, 11)
    how = {"network": network, "distribution": relaxation, "beta": 2.0}
    p = soft_permutation(x, **how)
    ones = torch.ones(4, 11, dtype=torch.float64)
    torch.testing.assert_close(p.sum(1), ones)
    torch.testing.assert_close(p.sum(2), ones)
    assert (p >= 0).all()
    torch.testing.assert_close(soft_sort(x, **how), torch.einsum("bi,bij->bj", x, p))
    torch.testing.assert_close(soft_rank(x, **how), p @ torch.arange(1, 12, dtype=torch.float64))
    torch.testing.assert_close(soft_argsort(x, **how), p.mT)
    payload = numbers(4, 11, 3, seed=1)
    torch.testing.assert_close(apply_permutation(x, payload, **how), p.mT @ payload)
    top = soft_topk(x, 3, **how)
    torch.testing.assert_close(top.values, soft_sort(x, **how)[:, -3:].flip(1))
    torch.testing.assert_close(top.attribution, p[:, :, -3:].flip(2))


@given(x=lists, relaxation=st.sampled_from(SYMMETRIC), network=st.sampled_from(list(NETWORKS)), beta=st.floats(0.1, 50))
@hypothesis_settings(max_examples=60, deadline=None)
def test_laws_of_any_list(x: Tensor, relaxation: str, network: str, beta: float) -> None:
    how = {"network": network, "distribution": relaxation, "beta": beta}
    p = soft_permutation(x, **how)
    torch.testing.assert_close(p.sum(0), torch.ones_like(x))
    torch.testing.assert_close(p.sum(1), torch.ones_like(x))
    x.requires_grad_()
    y = soft_sort(x, **how)
    torch.testing.assert_close(y.sum(), x.sum(), rtol=1e-9, atol=1e-9)
    # Translation equivariance: y(x + c) = y(x) + c, so that the derivatives in all inputs sum to 1.
    torch.testing.assert_close(soft_sort(x + 3.0, **how), y + 3.0, rtol=1e-6, atol=1e-6)
    jacobian = torch.autograd.functional.jacobian(lambda v: soft_sort(v, **how), x)
    torch.testing.assert_close(jacobian.sum(1), torch.ones_like(x))
    if relaxation in MONOTONE:
        assert (jacobian >= -1e-12).all()


def test_logistic_is_not_monotone() -> None:
    """So that the test of the monotone families can fail."""
    jacobian = torch.autograd.functional.jacobian(
        lambda v: soft_sort(v, distribution="logistic", beta=1.0), torch.tensor([0.0, 4.0]).double()
    )
    assert jacobian.min() < -0.01


@pytest.mark.parametrize("relaxation", [name for name in PLAIN if not name.startswith("levy")])
@pytest.mark.parametrize("network", NETWORKS)
def test_sharp_comparators_sort(network: str, relaxation: str) -> None:
    x = torch.randperm(23, generator=torch.Generator().manual_seed(0)).double()
    y = soft_sort(x, network=network, distribution=relaxation, beta=1e9)
    torch.testing.assert_close(y, x.sort().values, atol=1e-5, rtol=0)
    p = soft_permutation(x, network=network, distribution=relaxation, beta=1e9)
    assert torch.equal(p.argmax(0), x.argsort())


@pytest.mark.parametrize("relaxation", SYMMETRIC)
@pytest.mark.parametrize("network", NETWORKS)
def test_ties(network: str, relaxation: str) -> None:
    x = torch.full((5,), 2.5, dtype=torch.float64, requires_grad=True)
    y = soft_sort(x, network=network, distribution=relaxation)
    assert torch.equal(y, x)
    (gradient,) = torch.autograd.grad(y[2], x)
    torch.testing.assert_close(gradient.sum(), torch.ones((), dtype=torch.float64))
    pair = soft_permutation(torch.ones(2), network=network, distribution=relaxation)
    torch.testing.assert_close(pair, torch.full((2, 2), 0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("relaxation", [*SYMMETRIC, "hard", "gumbel_max", "exponential"])
def test_extremes_are_finite(relaxation: str, dtype: torch.dtype) -> None:
    x = torch.tensor([1e8, -1e8, 0.0, 1e8, -1e8, 1e-8, 3.0], dtype=dtype, requires_grad=True)
    for function in (soft_sort, soft_permutation, soft_rank):
        out = function(x, distribution=relaxation)
        (gradient,) = torch.autograd.grad(out.square().sum(), x)
        assert torch.isfinite(out).all()
        assert torch.isfinite(gradient).all()
    for exact in ({"distribution": "hard"}, {"distribution": relaxation, "straight_through": True}):
        assert torch.equal(soft_sort(x, **exact), x.sort().values)
        assert torch.equal(apply_permutation(x, x, **exact), x.sort().values)


@pytest.mark.parametrize("network", WAYS)
def test_straight_through_is_hard_forward_and_soft_backward(network: str | SoftSort) -> None:
    x = numbers(3, 9).requires_grad_()
    how = {"network": network, "beta": 2.0, "straight_through": True}
    assert torch.equal(soft_sort(x, **how), x.sort(1).values) or network not in NETWORKS
    torch.testing.assert_close(soft_sort(x, **how), x.sort(1).values)
    p = soft_permutation(x, **how)
    assert torch.equal(p.detach().argmax(1), x.argsort(1))
    torch.testing.assert_close(p.detach().round(), p.detach())
    torch.testing.assert_close(soft_rank(x, **how), x.argsort(1).argsort(1).double() + 1)
    top = soft_topk(x, 2, **how)
    torch.testing.assert_close(top.values, x.topk(2).values)
    (gradient,) = torch.autograd.grad((p[:, :, 0] * numbers(3, 9, seed=2)).sum(), x)
    assert gradient.abs().max() > 1e-3


def test_straight_through_relaxes_each_comparator_at_hard_values() -> None:
    """Of two values that is the soft gradient, of three not: the second layer sees what hard comparators leave."""
    x = torch.tensor([1.0, 0.2], dtype=torch.float64)
    both = [
        torch.autograd.functional.jacobian(lambda v, s=s: soft_permutation(v, straight_through=s), x)
        for s in (True, False)
    ]
    torch.testing.assert_close(*both)
    x = torch.tensor([1.0, 0.2, 0.6], dtype=torch.float64)
    both = [
        torch.autograd.functional.jacobian(lambda v, s=s: soft_permutation(v, straight_through=s), x)
        for s in (True, False)
    ]
    assert (both[0] - both[1]).abs().max() > 1e-3


def test_softsort_closed_form() -> None:
    x = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    for power in (1.0, 2.0):
        expected = torch.softmax(-4 * (x.sort().values[:, None] - x[None, :]).abs() ** power, 1)
        torch.testing.assert_close(soft_argsort(x, network=SoftSort(power=power), beta=4.0), expected)
    torch.testing.assert_close(
        soft_argsort(x, network="softsort", beta=4.0), soft_argsort(x, network=SoftSort(), beta=4.0)
    )


def test_neuralsort_closed_form() -> None:
    """The paper's matrix, row i for the i-th largest, upside down."""
    x = torch.tensor([0.3, -1.0, 2.0, 0.9], dtype=torch.float64)
    n = len(x)
    spread = (x[:, None] - x[None, :]).abs().sum(1)
    rows = [torch.softmax(4 * ((n + 1 - 2 * i) * x - spread), 0) for i in range(1, n + 1)]
    torch.testing.assert_close(soft_argsort(x, network=NeuralSort(), beta=4.0), torch.stack(rows).flip(0))
    torch.testing.assert_close(soft_sort(x, network="neuralsort", beta=1e4), x.sort().values)


@pytest.mark.parametrize("network", WAYS)
def test_gradcheck(network: str | SoftSort) -> None:
    x, payload = numbers(2, 5).requires_grad_(), numbers(2, 5, 2, seed=1).requires_grad_()
    how = {"network": network, "beta": 1.0}
    for function in (soft_sort, soft_permutation, soft_rank, lambda v, **h: soft_topk(v, 2, **h)):
        assert torch.autograd.gradcheck(lambda v, f=function: f(v, **how), x)
    assert torch.autograd.gradcheck(lambda v, w: apply_permutation(v, w, **how), (x, payload))


@pytest.mark.parametrize("dim", [0, 1, -1, -3])
@pytest.mark.parametrize("network", ["bitonic", "softsort"])
def test_any_dimension(network: str, dim: int) -> None:
    x = numbers(3, 4, 5)
    moved = x.movedim(dim, -1)
    torch.testing.assert_close(
        soft_sort(x, network=network, dim=dim), soft_sort(moved, network=network).movedim(-1, dim)
    )
    torch.testing.assert_close(
        soft_rank(x, network=network, dim=dim), soft_rank(moved, network=network).movedim(-1, dim)
    )
    torch.testing.assert_close(soft_permutation(x, network=network, dim=dim), soft_permutation(moved, network=network))
    top, expected = soft_topk(x, 2, network=network, dim=dim), soft_topk(moved, 2, network=network)
    torch.testing.assert_close(top.values, expected.values.movedim(-1, dim))
    torch.testing.assert_close(top.attribution, expected.attribution)
    assert top.values.shape[dim] == 2
    payload = numbers(3, 4, 5, 2, seed=1)
    from_end = dim if dim < 0 else dim - 3
    expected_payload = apply_permutation(moved, payload.movedim(from_end - 1, -2), network=network)
    torch.testing.assert_close(
        apply_permutation(x, payload, network=network, dim=dim), expected_payload.movedim(-2, from_end - 1)
    )
    torch.testing.assert_close(
        apply_permutation(x, x, network=network, dim=dim), soft_sort(x, network=network, dim=dim)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    x = numbers(3, 40).to(dtype).requires_grad_()
    for function in (soft_sort, soft_permutation, soft_rank):
        out = function(x)
        assert out.dtype == dtype
        assert torch.equal(out, function(x.float()).to(dtype))
    soft_sort(x).sum().backward()
    assert x.grad.dtype == dtype
    top = soft_topk(x, 3)
    assert top.values.dtype == top.attribution.dtype == dtype
    assert apply_permutation(x, x).dtype == dtype


def test_single_values_and_empty_batches() -> None:
    for network in WAYS:
        assert soft_sort(torch.tensor([3.0]), network=network).tolist() == [3.0]
        assert soft_permutation(torch.tensor([3.0]), network=network).tolist() == [[1.0]]
    assert soft_topk(torch.tensor([3.0]), 1).attribution.tolist() == [[1.0]]
    assert soft_sort(torch.empty(0, 4)).shape == (0, 4)
    assert soft_permutation(torch.empty(2, 0, 4)).shape == (2, 0, 4, 4)


def test_distribution_objects() -> None:
    x = numbers(7)
    torch.testing.assert_close(
        soft_sort(x, distribution=distribution("cauchy", scale=0.25)), soft_sort(x, distribution="cauchy", beta=4.0)
    )
    y = soft_sort(x, distribution=distribution("gamma", scale=1e-9, shape=2.0))
    torch.testing.assert_close(y, x.sort().values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("network", ["bitonic", "neuralsort"])
def test_compile_fullgraph(network: str) -> None:
    def run(x: Tensor) -> Tensor:
        top = soft_topk(x, 2, beta=3.0)
        sorted_ = soft_sort(x, network=network, beta=3.0)
        return (
            sorted_.sum()
            + (soft_rank(x, network=network) * x).sum()
            + top.values.sum()
            + soft_permutation(x).square().sum()
        )

    x = numbers(2, 6)
    plain, traced = x.clone().requires_grad_(), x.clone().requires_grad_()
    run(plain).backward()
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    compiled(traced).backward()
    torch.testing.assert_close(traced.grad, plain.grad)
    torch.testing.assert_close(compiled(x), run(x))


def test_vmap() -> None:
    x = numbers(3, 4, 5)
    for function in (soft_sort, soft_rank, soft_permutation):
        torch.testing.assert_close(torch.func.vmap(function)(x), function(x))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: soft_sort(x.long()), TypeError, "x: expected a floating-point tensor, got torch.int64"),
        (lambda x: soft_sort([1.0]), TypeError, "x: expected a floating-point tensor, got list"),
        (lambda x: soft_sort(x, dim=2), ValueError, "dim: expected one of the 2 dimensions of x, got 2"),
        (lambda x: soft_sort(x.sum()), ValueError, "dim: expected one of the 0 dimensions of x, got -1"),
        (lambda x: soft_sort(x[:, :0]), ValueError, r"x: expected at least one value along dim -1, got shape \(2, 0\)"),
        (lambda x: soft_sort(x, network="quick"), ValueError, "network: expected one of"),
        (lambda x: soft_rank(x, network="splitter_selection"), ValueError, "network: splitter_selection leaves only"),
        (lambda x: soft_topk(x, 0), ValueError, "k: expected 1 to 4, the number of values along dim -1, got 0"),
        (lambda x: soft_topk(x, 5), ValueError, "k: expected 1 to 4"),
        (lambda x: soft_topk(x, 2.0), ValueError, "k: expected 1 to 4"),
        (lambda x: soft_sort(x, network="softsort", slope=1.0), ValueError, "slope: expected None beside SoftSort"),
        (lambda x: soft_sort(x, network="softsort", beta=-1.0), ValueError, "beta: expected a finite number > 0"),
        (
            lambda x: soft_sort(x, network="neuralsort", distribution="logistic"),
            ValueError,
            "distribution: expected none",
        ),
        (lambda x: SoftSort(power=0.0), ValueError, "power: expected a finite number > 0, got 0.0"),
        (lambda x: apply_permutation(x, x[:, :3]), ValueError, r"payload: expected shape \(2, 4\) or \(2, 4, 'd'\)"),
        (lambda x: apply_permutation(x, x.double()), ValueError, "payload: expected torch.float32 on cpu as x"),
        (lambda x: soft_sort(x, distribution="gamma"), ValueError, "distribution: gamma needs a shape"),
    ],
)
def test_errors(call: Callable[[Tensor], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(torch.zeros(2, 4))


def test_docstring_examples() -> None:
    x = torch.tensor([3.0, 1.0, 2.0])
    torch.testing.assert_close(soft_sort(x, beta=100.0), torch.tensor([1.0064, 2.0, 2.9936]), atol=1e-4, rtol=0)
    torch.testing.assert_close(soft_rank(x, beta=100.0), torch.tensor([2.9936, 1.0064, 2.0]), atol=1e-4, rtol=0)
    assert math.isclose(soft_topk(x, 1, beta=100.0).values.item(), 2.9936, abs_tol=1e-4)
