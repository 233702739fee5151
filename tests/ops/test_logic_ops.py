"""The ops of the logic layers against plain PyTorch: values, gradients, second derivatives, levels, threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import renderer.logic  # noqa: F401  registers the ops
from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import SPECS, call
from renderer.reference.logic_coefficients import logic_coefficients
from renderer.reference.logic_layers import logic_layers

REFERENCE: dict[str, Callable] = {"logic_coefficients": logic_coefficients, "logic_layers": logic_layers}


def arguments(op: str, seed: int = 0, *, samples: int = 13) -> tuple:
    """Arguments of an op in float64; a neuron of every layer has the same input twice."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    if op == "logic_coefficients":
        return 6 * rand(19 + 7 * seed, 16) - 3, (1.0, 0.3, 4.0)[seed % 3]
    widths = [[7], [6, 9], [5, 12, 8, 6]][seed % 3]
    inputs = [4, *widths[:-1]]
    pairs = [torch.randint(n, (2, m), generator=generator) for n, m in zip(inputs, widths, strict=True)]
    for pair in pairs:
        pair[:, 1] = pair[0, 1]
    groups = [0, 3, 2][seed % 3]
    return (
        rand(1 + seed % 2, 4, samples),
        2 * rand(sum(widths), 4) - 1,
        torch.cat(pairs, 1).to(torch.int32),
        widths,
        groups,
    )


CASES = [(op, seed) for op in REFERENCE for seed in range(4)]


@pytest.mark.parametrize(("op", "seed"), CASES)
@pytest.mark.parametrize("samples", [0, 1, 16, 65, 130])
def test_values_and_gradients_equal_the_reference(op: str, seed: int, samples: int) -> None:
    results = []
    for run in (lambda *args: call(op, *args)[0], REFERENCE[op]):
        args = list(arguments(op, seed, samples=samples))
        leaves = [args[i].requires_grad_() for i in SPECS[op].differentiable]
        out = run(*args)
        weights = torch.rand(out.shape, generator=torch.Generator().manual_seed(seed), dtype=out.dtype)
        (weights * out).sum().backward()
        results.append([out, *(leaf.grad for leaf in leaves)])
    for mine, exact in zip(*results, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("op", "seed"), CASES)
def test_float32_is_close_to_float64(op: str, seed: int) -> None:
    args = arguments(op, seed)
    halves = [a.float() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
    torch.testing.assert_close(call(op, *halves)[0].double(), call(op, *args)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("op", "seed"), CASES)
def test_first_and_second_derivatives_by_finite_differences(op: str, seed: int) -> None:
    args = arguments(op, seed)
    positions = SPECS[op].differentiable

    def run(*values: Tensor) -> Tensor:
        full = list(args)
        for position, value in zip(positions, values, strict=True):
            full[position] = value
        return call(op, *full)[0]

    inputs = [args[i].clone().requires_grad_() for i in positions]
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize(("op", "seed"), CASES)
def test_opcheck(op: str, seed: int) -> None:
    args = arguments(op, seed)
    utilities = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(getattr(torch.ops.renderer, op).default, args, test_utils=utilities)
    grad = torch.rand_like(getattr(torch.ops.renderer, op)(*args))
    backward = getattr(torch.ops.renderer, f"{op}_backward").default
    torch.library.opcheck(backward, (grad, *args), test_utils=utilities)


def test_any_strides_of_samples_and_gradients() -> None:
    x, c, indices, widths, groups = arguments("logic_layers", 4, samples=70)
    assert x.shape[0] == 1
    expected = call("logic_layers", x, c, indices, widths, groups)[0]
    across = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(call("logic_layers", across, c, indices, widths, groups)[0], expected)
    gradients = []
    for grad in (torch.ones_like(expected), torch.ones(1, 1, 1, dtype=x.dtype).expand(expected.shape)):
        gradients.append(torch.ops.renderer.logic_layers_backward(grad, across, c, indices, widths, groups))
    for plain, expanded in zip(*gradients, strict=True):
        assert torch.equal(plain, expanded)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({2: torch.full((2, 7), 4, dtype=torch.int32)}, "indices: expected 0 to 3 in layer 0, got 4"),
        ({2: torch.full((2, 7), -1, dtype=torch.int32)}, "indices: expected 0 to 3 in layer 0, got -1"),
        ({2: torch.zeros(2, 7, dtype=torch.int64)}, "indices: expected"),
        ({1: torch.zeros(6, 4, dtype=torch.float64)}, "coefficients: expected"),
        ({0: torch.zeros(1, 4, 3, dtype=torch.float16)}, "x: expected"),
        ({3: []}, "widths: expected"),
        ({4: 2}, "groups: expected a divisor of 7"),
    ],
)
def test_errors_are_one_line(changes: dict, message: str) -> None:
    args = list(arguments("logic_layers"))
    for position, value in changes.items():
        args[position] = value
    with pytest.raises(ValueError, match=message):
        torch.ops.renderer.logic_layers(*args)
    with pytest.raises(ValueError, match="logits: expected"):
        torch.ops.renderer.logic_coefficients(torch.zeros(3, 4), 1.0)


def large_step(monkeypatch: pytest.MonkeyPatch, level: str, threads: int) -> list[Tensor]:
    """Values and gradients of layers that take several tiles and chunks, at a SIMD level."""
    monkeypatch.setattr(native, "SIMD_LEVEL", level)
    monkeypatch.setattr(native, "threads", lambda: threads)
    torch.manual_seed(0)
    logits = torch.randn(5000, 16, requires_grad=True)
    x = torch.rand(1, 40, 1000, requires_grad=True)
    indices = torch.cat([torch.randint(40, (2, 2500)), torch.randint(2500, (2, 2500))], 1).to(torch.int32)
    c = call("logic_coefficients", logits, 1.0)[0]
    y = call("logic_layers", x, c, indices, [2500, 2500], 10)[0]
    y.square().mean().backward()
    assert x.grad is not None
    assert logits.grad is not None
    return [y.detach(), x.grad, logits.grad]


@pytest.mark.parametrize("level", ["v3", "v4"])
def test_levels_agree(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        _C.simd_level(level)
    except ValueError:
        pytest.skip(f"this processor has no {level}")
    base = large_step(monkeypatch, "base", 1)
    torch.testing.assert_close(large_step(monkeypatch, level, 1), base, rtol=1e-4, atol=1e-6)


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = large_step(monkeypatch, "", 1)
    for threads in (2, 5):
        assert all(torch.equal(*pair) for pair in zip(one, large_step(monkeypatch, "", threads), strict=True))
