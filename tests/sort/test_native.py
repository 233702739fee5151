"""The native ops against their plain-PyTorch twins: values, gradients, second derivatives, transforms."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import SPECS, call
from renderer.sort import NETWORKS, RELAXATIONS

OPS = ("sort_values", "sort_payload", "sort_transposed", "sort_matrix")
ALL_NETWORKS = (*NETWORKS, "splitter_selection")
# Whose density is continuous: a float32 difference on the other side of a step would change the gradient.
STEPS = ("hard", "uniform", "wigner_semicircle", "exponential", "exponential_rev", "logistic_phi")
SMOOTH = [name for name in RELAXATIONS if name not in STEPS]
# Rows that go one by one, a whole block of lanes and a part of one; with columns of one block and of several.
SHAPES = [(3, 5, 1), (17, 13, 9), (2, 45, 20), (1, 70, 40)]


def settings(network: str, relaxation: str = "cauchy", beta: float = 3.0, straight_through: bool = False) -> tuple:
    k = 3 if network == "splitter_selection" else 0
    shape = 1.5 if relaxation.startswith("gamma") else 0.0
    return network, k, relaxation, beta, shape, shape, straight_through


def arguments(op: str, batch: int, n: int, columns: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> list:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, generator=generator, dtype=torch.float64).to(dtype)
    if op == "sort_values":
        return [x]
    if op == "sort_matrix":
        return [x, n // 3, n - n // 3]
    return [x, torch.randn(batch, n, columns, generator=generator, dtype=torch.float64).to(dtype)]


def reference(op: str) -> Any:
    return getattr(import_module(f"renderer.reference.{op}"), op)


def leaves_of(args: list, dtype: torch.dtype) -> list:
    return [a.detach().to(dtype).requires_grad_() if isinstance(a, Tensor) else a for a in args]


def compare(
    op: str, args: list, how: tuple, dtype: torch.dtype, value_tolerance: float, gradient_tolerance: float
) -> None:
    theirs, ours = leaves_of(args, torch.float64), leaves_of(args, dtype)
    expected, out = reference(op)(*theirs, *how), call(op, *ours, *how)[0]
    torch.testing.assert_close(out.double(), expected, rtol=value_tolerance, atol=value_tolerance)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected.backward(weights)
    out.backward(weights.to(dtype))
    for mine, exact in zip(ours, theirs, strict=True):
        if isinstance(mine, Tensor):
            scale = 1 + exact.grad.abs().max()
            torch.testing.assert_close(mine.grad.double() / scale, exact.grad / scale, rtol=0, atol=gradient_tolerance)


@pytest.mark.parametrize("straight_through", [False, True])
@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("op", OPS)
def test_equals_the_reference(op: str, relaxation: str, straight_through: bool) -> None:
    for network, shape in zip(ALL_NETWORKS, SHAPES, strict=True):
        compare(
            op, arguments(op, *shape), settings(network, relaxation, 3.0, straight_through), torch.float64, 1e-10, 1e-10
        )


@pytest.mark.parametrize("network", ALL_NETWORKS)
@pytest.mark.parametrize("op", OPS)
def test_every_network_and_shape(op: str, network: str) -> None:
    for shape in SHAPES:
        compare(op, arguments(op, *shape), settings(network), torch.float64, 1e-10, 1e-10)


@pytest.mark.parametrize("relaxation", SMOOTH)
@pytest.mark.parametrize("op", OPS)
def test_float32(op: str, relaxation: str) -> None:
    for network, shape in zip(NETWORKS, SHAPES[1:], strict=True):
        args = arguments(op, *shape, dtype=torch.float32)
        compare(op, args, settings(network, relaxation, 2.0), torch.float32, 1e-4, 1e-4)


@pytest.mark.parametrize("op", ["sort_values", "sort_payload", "sort_matrix"])
def test_segments_of_a_deep_network(op: str) -> None:
    """Odd-even on 400 wires has more comparators than are recorded at a time."""
    args = arguments(op, 6 if op == "sort_values" else 1, 400, 20)
    if op == "sort_matrix":
        args = [args[0], 300, 20]
    compare(op, args, settings("odd_even", beta=20.0), torch.float64, 1e-9, 1e-9)


@pytest.mark.parametrize("straight_through", [False, True])
@pytest.mark.parametrize("op", OPS)
def test_finite_differences(op: str, straight_through: bool) -> None:
    args = arguments(op, 2, 6, 3)
    how = settings("bitonic", "logistic", 1.0, straight_through)
    tensors = [a.requires_grad_() for a in args if isinstance(a, Tensor)]

    def run(*values: Tensor) -> Tensor:
        return call(op, *values, *(a for a in args if not isinstance(a, Tensor)), *how)[0]

    if not straight_through:  # whose gradient is not that of its value
        assert torch.autograd.gradcheck(run, tensors)
        assert torch.autograd.gradgradcheck(run, tensors)
        return
    (first,) = torch.autograd.grad(run(*tensors).square().sum(), tensors[:1], create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), tensors[:1])
    assert torch.isfinite(second).all()


@pytest.mark.parametrize("op", OPS)
def test_opcheck(op: str) -> None:
    args = [*arguments(op, 3, 7, 4), *settings("odd_even_merge")]
    utilities = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(getattr(torch.ops.renderer, op).default, args, test_utils=utilities)
    grad = torch.rand_like(getattr(torch.ops.renderer, op)(*args))
    backward = getattr(torch.ops.renderer, f"{op}_backward").default
    torch.library.opcheck(backward, (grad, *args), test_utils=utilities)


@pytest.mark.parametrize("op", OPS)
def test_vmap_and_func_derivatives(op: str) -> None:
    args = arguments(op, 6, 5, 3)
    batched = [a.reshape(3, 2, *a.shape[1:]) if isinstance(a, Tensor) else a for a in args]
    how = settings("bitonic", "logistic", 2.0)
    dims = tuple(0 if isinstance(a, Tensor) else None for a in args)

    def run(*values: Any) -> Tensor:
        return call(op, *values, *how)[0]

    mapped = torch.func.vmap(run, in_dims=dims)(*batched)
    torch.testing.assert_close(mapped.flatten(0, 1), run(*args))
    gradient = torch.func.vmap(torch.func.grad(lambda *v: run(*v).square().sum()), in_dims=dims)(*batched)
    x = args[0].clone().requires_grad_()
    run(x, *args[1:]).square().sum().backward()
    torch.testing.assert_close(gradient.flatten(0, 1), x.grad)
    jacobian = torch.func.jacrev(lambda v: run(v, *args[1:]).sum(0).flatten()[:4])(args[0])
    forward = torch.autograd.functional.jacobian(lambda v: run(v, *args[1:]).sum(0).flatten()[:4], args[0])
    torch.testing.assert_close(jacobian, forward)


@pytest.mark.parametrize("level", ["base", "v3", "v4"])
@pytest.mark.parametrize("op", OPS)
def test_every_level(op: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        _C.simd_level(level)
    except ValueError:
        pytest.skip(f"this processor has no {level}")
    monkeypatch.setattr(native, "SIMD_LEVEL", level)
    for relaxation in ("cauchy", "logistic"):
        for shape in SHAPES:
            args = arguments(op, *shape, dtype=torch.float32)
            compare(op, args, settings("bitonic", relaxation, 2.0), torch.float32, 1e-4, 1e-4)


@pytest.mark.parametrize("op", OPS)
def test_threads_change_nothing(op: str) -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            for batch in (2, 40):
                args = leaves_of(arguments(op, batch, 70, 70), torch.float32)
                out = call(op, *args, *settings("bitonic"))[0]
                out.backward(torch.ones_like(out))
                results.append([out.detach(), args[0].grad])
    finally:
        torch.set_num_threads(before)
    for one, three in zip(results[:2], results[2:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


def test_ops_save_their_inputs_only() -> None:
    assert all(SPECS[op].saved == () for op in OPS)


def test_empty_batches() -> None:
    for op in OPS:
        args = leaves_of(arguments(op, 0, 5, 2), torch.float32)
        call(op, *args, *settings("bitonic"))[0].sum().backward()
        assert args[0].grad.shape == (0, 5)
