from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from renderer.losses.ranking import ranking_cross_entropy
from renderer.train import NewtonLoss, inject_fisher
from renderer.train.newton import fisher_step

N, SIZE = 6, 4
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])
CURVATURES = ["hessian", "batch_hessian", "fisher"]
DEFINITE = ["none", "abs", "clamp"]
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def scores(seed: int = 0, size: int = SIZE) -> Tensor:
    return torch.randn(N, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cross_entropy(y: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    return functional.cross_entropy(y, labels, reduction=reduction)


def ranking(y: Tensor, labels: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    """Cross-entropy of a relaxed permutation with the one that leaves everything in its place."""
    return ranking_cross_entropy(y, torch.arange(y.shape[1]).expand_as(y), beta=1.5, reduction=reduction, **options)  # type: ignore[arg-type]


def soft_ranks(y: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Squared distance of Σⱼ σ(yᵢ − yⱼ) from the ranks 0, 1, …: indefinite, as most losses of sorting are."""
    ranks = torch.sigmoid(y[:, :, None] - y[:, None, :]).sum(-1) - 0.5
    each = (ranks - torch.arange(y.shape[1], dtype=y.dtype)).square().sum(1)
    return {"none": each, "sum": each.sum(), "mean": each.mean()}[reduction]


LOSSES = {
    "cross_entropy": cross_entropy,
    "soft_ranks": soft_ranks,
    "neuralsort": functools.partial(ranking, network="neuralsort"),
    "softsort": functools.partial(ranking, network="softsort"),
    "logistic network": functools.partial(ranking, network="odd_even", distribution="logistic"),
    "cauchy network": functools.partial(ranking, network="bitonic", distribution="cauchy", entropy="binary"),
}


@functools.cache
def derivatives(name: str) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients and Hessians of the losses of `scores()`, sample by sample, by autograd alone."""

    def one(i: int, row: Tensor) -> Tensor:
        return LOSSES[name](row[None], LABELS[i : i + 1], reduction="sum")

    rows = [(functools.partial(one, i), row) for i, row in enumerate(scores())]
    return (
        [torch.autograd.functional.jacobian(*row) for row in rows],
        [torch.autograd.functional.hessian(*row) for row in rows],
    )


def dense(name: str, curvature: str, damping: float, relative: bool, definite: str) -> Tensor:
    """(M + λI)⁻¹ gᵢ by dense matrices."""
    gradients, matrices = derivatives(name)
    if curvature == "batch_hessian":
        matrices = [sum(matrices) / N] * N
    if curvature == "fisher":
        matrices = [sum(torch.outer(g, g) for g in gradients) / N] * N
    else:
        changed = []
        for matrix in matrices:
            values, vectors = torch.linalg.eigh(matrix)
            values = {"none": values, "abs": values.abs(), "clamp": values.clamp(min=0)}[definite]
            changed.append(vectors @ torch.diag(values) @ vectors.T)
        matrices = changed
    level = damping
    if relative:
        level *= float(sum(matrix.trace().abs() for matrix in matrices)) / N / SIZE
    eye = torch.eye(SIZE, dtype=torch.float64)
    return torch.stack([torch.linalg.solve(m + level * eye, g) for m, g in zip(matrices, gradients, strict=True)])


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("definite", DEFINITE)
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("loss", LOSSES)
def test_equals_a_dense_solve(loss: str, curvature: str, definite: str, relative: bool) -> None:
    y = scores().requires_grad_()
    expected = dense(loss, curvature, 0.3, relative, definite)
    for reduction, scale in (("none", 1), ("sum", 1), ("mean", N)):
        wrapped = NewtonLoss(
            functools.partial(LOSSES[loss], reduction=reduction),
            curvature=curvature,  # type: ignore[arg-type]
            damping=0.3,
            relative=relative,
            definite=definite,  # type: ignore[arg-type]
            reduction=reduction,  # type: ignore[arg-type]
        )
        value = wrapped(y, LABELS)
        (gradient,) = torch.autograd.grad(value.sum(), [y])
        assert torch.allclose(gradient * scale, expected, **TOLERANCE)
        assert torch.allclose(value.sum() * scale, 0.5 * expected.square().sum(), **TOLERANCE)
        assert torch.allclose(wrapped.step(y, LABELS), expected, **TOLERANCE)


def test_a_sorting_loss_is_indefinite_and_only_the_plain_step_may_ascend() -> None:
    y = scores()
    y[0] = torch.tensor([3.0, 1.0, -1.0, -3.0])  # the wrong way round, and far from a tie
    hessian = torch.autograd.functional.hessian(lambda row: soft_ranks(row[None], LABELS, "sum"), y[0])
    assert float(torch.linalg.eigvalsh(hessian)[0]) < -1e-2
    start = y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(soft_ranks(start, LABELS, "sum"), [start])
    slopes = {}
    for definite in DEFINITE:
        loss = NewtonLoss(soft_ranks, curvature="hessian", damping=0.05, definite=definite, reduction="mean")  # type: ignore[arg-type]
        slopes[definite] = (-loss.step(y, LABELS) * gradient).sum(1)
    assert (slopes["none"] > 0).any()
    assert (slopes["abs"] < 0).all()
    assert (slopes["clamp"] < 0).all()


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("relative", [True, False])
def test_as_damping_grows_the_step_is_the_gradient(curvature: str, relative: bool) -> None:
    y = scores().requires_grad_()
    (plain,) = torch.autograd.grad(cross_entropy(y, LABELS), [y])
    loss = NewtonLoss(cross_entropy, curvature=curvature, damping=1e9, relative=relative, reduction="mean")  # type: ignore[arg-type]
    (ours,) = torch.autograd.grad(loss(y, LABELS), [y])
    unit = float((plain * ours).sum() / ours.square().sum())
    assert torch.allclose(ours * unit, plain, rtol=1e-7, atol=1e-10)
    if not relative:
        assert unit == pytest.approx(1e9, rel=1e-7)


def test_one_newton_step_solves_a_quadratic() -> None:
    matrix = torch.diag(torch.tensor([1.0, 4.0, 9.0, 0.5], dtype=torch.float64))
    loss = NewtonLoss(
        lambda y, goal: 0.5 * ((y - goal) @ matrix * (y - goal)).sum(1),
        curvature="hessian",
        damping=0.0,
        reduction="none",
    )
    goal = scores(seed=1)
    assert torch.allclose(scores() - loss.step(scores(), goal), goal, **TOLERANCE)


def test_inject_fisher_is_the_newton_loss_in_the_backward_pass() -> None:
    y = scores().requires_grad_()
    for reduction in ("sum", "mean"):
        loss = functools.partial(cross_entropy, reduction=reduction)
        (expected,) = torch.autograd.grad(NewtonLoss(loss, reduction=reduction, damping=0.2)(y, LABELS), [y])
        through = inject_fisher(y, reduction=reduction, damping=0.2)
        assert torch.equal(through, y)
        value = loss(through, LABELS)
        assert torch.equal(value, loss(y, LABELS))
        (ours,) = torch.autograd.grad(value, [y])
        assert torch.allclose(ours, expected, **TOLERANCE)


def test_inject_fisher_refuses_a_second_derivative() -> None:
    y = scores().requires_grad_()
    value = cross_entropy(inject_fisher(y, reduction="mean"), LABELS)
    (gradient,) = torch.autograd.grad(value, [y], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(1e-3, 1e3), st.booleans(), st.integers(0, 99))
def test_woodbury_equals_the_dense_solve(count: int, size: int, damping: float, relative: bool, seed: int) -> None:
    gradient = torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    both = [fisher_step(gradient, damping=damping, relative=relative, woodbury=small) for small in (False, True)]
    assert torch.allclose(*both, rtol=1e-8, atol=1e-10)


def test_large_outputs_do_not_make_a_large_matrix() -> None:
    gradient = torch.randn(3, 200_000, dtype=torch.float64)  # the matrix would take 320 GB
    step = fisher_step(gradient, damping=1.0, relative=False)
    back = gradient.T @ (gradient @ step.T) / 3 + step.T
    assert torch.allclose(back.T, gradient, rtol=1e-8, atol=1e-8)


def test_outputs_of_any_rank_and_float32() -> None:
    y = scores(size=6)
    flat = NewtonLoss(lambda z: z.pow(4).sum(1), curvature="hessian", reduction="none").step(y)
    deep = NewtonLoss(lambda z: z.pow(4).sum((1, 2)), curvature="hessian", reduction="none").step(y.reshape(N, 2, 3))
    assert torch.allclose(deep.reshape(N, 6), flat, **TOLERANCE)
    single = NewtonLoss(lambda z: z.pow(4).sum(1), curvature="hessian", reduction="none").step(y.float())
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), flat, atol=1e-5)


def test_only_the_outputs_get_a_gradient() -> None:
    steepness = torch.ones((), dtype=torch.float64, requires_grad=True)
    y = scores().requires_grad_()
    loss = NewtonLoss(lambda z, labels: cross_entropy(z * steepness, labels), reduction="mean")
    loss(y, LABELS).backward()
    assert steepness.grad is None
    assert y.grad is not None
    with torch.no_grad():
        assert not loss(y, LABELS).requires_grad


def test_no_gradient_is_no_step() -> None:
    assert not fisher_step(torch.zeros(3, 2), damping=0.1).any()


class OnlyOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y.square().sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient


def newton(loss: Any = cross_entropy, **options: Any) -> Tensor:
    options = {"reduction": "mean", **options}
    arguments = options.pop("arguments", (scores(), LABELS))
    return NewtonLoss(loss, **options)(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"curvature": "gauss"}, "curvature: expected 'hessian', 'batch_hessian' or 'fisher', got 'gauss'"),
        ({"definite": "yes"}, "definite: expected 'none', 'abs' or 'clamp', got 'yes'"),
        ({"reduction": "median"}, "reduction: expected 'none', 'sum' or 'mean', got 'median'"),
        ({"damping": 0.0}, r"damping: expected a number > 0, got 0\.0"),
        ({"damping": -1.0, "curvature": "hessian"}, r"damping: expected a number >= 0, got -1\.0"),
        ({"reduction": "none"}, r"loss: expected shape \(6,\) with reduction='none', got \(\)"),
        ({"arguments": (torch.zeros(3), LABELS)}, r"outputs: expected shape \(N, m\) with something in it, got \(3,\)"),
        ({"arguments": (LABELS, LABELS)}, "outputs: expected a floating point Tensor, got Tensor of torch.int64"),
        ({"damping": 0.0, "curvature": "hessian"}, "as M \\+ λI is singular"),
        ({"damping": 1e-18, "curvature": "fisher"}, "as M \\+ λI is singular"),
        (
            {"loss": lambda y: y.sum(), "arguments": (scores(),), "reduction": "sum", "curvature": "hessian"},
            "loss: has no second derivative, as its gradient is constant: use curvature='fisher'",
        ),
        (
            # Beside a part that has one, the part that has none must not go unnoticed.
            {
                "loss": lambda y: OnlyOnce.apply(y) + y.pow(4).sum(),
                "arguments": (scores(),),
                "reduction": "sum",
                "curvature": "hessian",
            },
            r"loss: a part of it has no second derivative \(once_differentiable\): use curvature='fisher'",
        ),
    ],
)
def test_errors_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        newton(**options)
    assert "\n" not in str(error.value)
