from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from renderer.train import Isaac, isaac_gradient

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def formula(a: Tensor, g: Tensor, damping: float, damping_gradients: float | None = None) -> Tensor:
    """ζ* = λ gᵀa (aᵀa/b + λI)⁻¹, and the other factor, by explicit inverses."""
    rows = len(a)
    step = damping * g.T @ a @ torch.linalg.inv(a.T @ a / rows + damping * torch.eye(a.shape[1], dtype=a.dtype))
    if damping_gradients is None:
        return step
    other = g.T @ g / rows + damping_gradients * torch.eye(g.shape[1], dtype=a.dtype)
    return damping_gradients * torch.linalg.inv(other) @ step


@pytest.mark.parametrize("damping_gradients", [None, 0.7])
@pytest.mark.parametrize(("rows", "columns"), [(9, 4), (4, 9), (5, 5)])
def test_equals_both_forms_of_the_formula(rows: int, columns: int, damping_gradients: float | None) -> None:
    a, g, damping = random(rows, columns), random(rows, 3, seed=1), 0.3
    ours = isaac_gradient(a, g, damping=damping, damping_gradients=damping_gradients)
    assert torch.allclose(ours, formula(a, g, damping, damping_gradients), **TOLERANCE)
    if damping_gradients is None:
        eye = torch.eye(rows, dtype=a.dtype)
        k = a @ a.T / (rows * damping)
        assert torch.allclose(ours, g.T @ (eye - torch.linalg.inv(eye + k) @ k) @ a, **TOLERANCE)


def test_as_damping_grows_it_is_the_gradient() -> None:
    a, g = random(6, 4), random(6, 3, seed=1)
    assert torch.allclose(isaac_gradient(a, g, damping=1e9), g.T @ a, rtol=1e-7)
    assert torch.allclose(isaac_gradient(a, g, damping=1e9, damping_gradients=1e9), g.T @ a, rtol=1e-7)


def gradients(module: nn.Module, inputs: Tensor, weights: Tensor) -> dict[str, Tensor]:
    inputs = inputs.clone().requires_grad_()
    (module(inputs) * weights).sum().backward()
    found = {name.removeprefix("layer."): parameter.grad for name, parameter in module.named_parameters()}
    module.zero_grad()
    return {**found, "inputs": inputs.grad}  # type: ignore[dict-item]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("leading", [(7,), (2, 3), (2, 2, 2), ()])
def test_linear(leading: tuple[int, ...], bias: bool) -> None:
    layer = nn.Linear(5, 3, bias=bias).double()
    x, w = random(*leading, 5), random(*leading, 3, seed=1)
    ours, plain = gradients(Isaac(layer, damping=0.4), x, w), gradients(layer, x, w)
    assert torch.equal(Isaac(layer, damping=0.4)(x), layer(x))
    assert torch.allclose(ours["inputs"], plain["inputs"], **TOLERANCE)
    rows = x.reshape(-1, 5)
    rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], dim=1) if bias else rows
    expected = formula(rows, w.reshape(-1, 3), 0.4)
    assert torch.allclose(ours["weight"], expected[:, :5], **TOLERANCE)
    if bias:
        assert torch.allclose(ours["bias"], expected[:, 5], **TOLERANCE)


CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strided": {"stride": (2, 1), "padding": (1, 2)},
    "dilated": {"dilation": 2, "padding": 2},
    "same": {"padding": "same", "kernel_size": (3, 5)},
    "valid": {"padding": "valid"},
    "circular": {"padding": 1, "padding_mode": "circular"},
    "reflect": {"padding": (2, 1), "padding_mode": "reflect"},
    "groups": {"groups": 2, "padding": 1},
    "no bias": {"bias": False},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv2d(name: str) -> None:
    options = {"kernel_size": 3, **CONVOLUTIONS[name]}
    layer = nn.Conv2d(4, 6, **options).double()
    x = random(2, 4, 7, 6)
    w = random(*layer(x).shape, seed=1)
    ours, plain = gradients(Isaac(layer, damping=0.4), x, w), gradients(layer, x, w)
    assert torch.equal(Isaac(layer, damping=0.4)(x), layer(x))
    assert torch.allclose(ours["inputs"], plain["inputs"], **TOLERANCE)
    # As a linear layer applied to patches, which the convolution itself cuts out: with unit kernels it copies them.
    groups, size = layer.groups, layer.weight[0].numel()
    unit = nn.Conv2d(4 // groups, size, **{**options, "groups": 1, "bias": False}).double()
    unit.weight.data = torch.eye(size, dtype=torch.float64).reshape(unit.weight.shape)
    for group in range(groups):
        part = x.chunk(groups, dim=1)[group]
        rows = unit(part).permute(0, 2, 3, 1).reshape(-1, size)
        if layer.bias is not None:
            rows = torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1)
        outputs = slice(group * 6 // groups, (group + 1) * 6 // groups)
        expected = formula(rows, w[:, outputs].permute(0, 2, 3, 1).reshape(len(rows), -1), 0.4)
        assert torch.allclose(ours["weight"][outputs].flatten(1), expected[:, :size], **TOLERANCE)
        if layer.bias is not None:
            assert torch.allclose(ours["bias"][outputs], expected[:, size], **TOLERANCE)


def test_a_single_image_is_a_batch_of_one() -> None:
    layer = Isaac(nn.Conv2d(2, 3, 3).double(), damping=0.2, damping_gradients=0.5, reduction="mean")
    x, w = random(2, 5, 5), random(3, 3, 3, seed=1)
    one, batch = gradients(layer, x, w), gradients(layer, x[None], w[None])
    assert torch.allclose(one["weight"], batch["weight"], **TOLERANCE)


def test_the_full_form_takes_the_gradients_of_single_samples() -> None:
    layer = nn.Linear(4, 3, bias=False).double()
    x, w = random(8, 4), random(8, 3, seed=1)
    total = gradients(Isaac(layer, damping=0.4, damping_gradients=0.6, reduction="sum"), x, w)
    mean = gradients(Isaac(layer, damping=0.4, damping_gradients=0.6, reduction="mean"), x, w / 8)
    assert torch.allclose(total["weight"], formula(x, w, 0.4, 0.6), **TOLERANCE)
    assert torch.allclose(mean["weight"], total["weight"] / 8, **TOLERANCE)


def test_learns_faster_than_gradient_descent_where_inputs_are_badly_scaled() -> None:
    x = random(64, 6) * torch.tensor([3.0, 1.0, 0.3, 0.1, 0.03, 1.0])
    y = x @ random(6, 2, seed=2)
    ends = []
    for wrap in (lambda layer: layer, lambda layer: Isaac(layer, damping=1e-3)):
        torch.manual_seed(0)
        model = wrap(nn.Linear(6, 2).double())
        # Each with the step size that is best for it: gradient descent 2/(largest eigenvalue), ζ*/λ is a Newton step.
        rate = 0.1 if isinstance(model, nn.Linear) else 0.5 / 1e-3 / 2
        optimiser = torch.optim.SGD(model.parameters(), lr=rate)
        for _ in range(30):
            loss = (model(x) - y).square().sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        ends.append(loss.item())
    assert ends[1] < 0.01 * ends[0]


def test_refuses_a_second_derivative() -> None:
    module = Isaac(nn.Linear(2, 2), damping=1.0)
    (gradient,) = torch.autograd.grad(module(torch.ones(1, 2)).square().sum(), [module.layer.weight], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_under_autocast() -> None:
    module = Isaac(nn.Linear(4, 3), damping=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        out = module(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert module.layer.weight.grad is not None
    assert module.layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.0}, r"damping: expected a number > 0, got 0\.0"),
        ({"damping": float("nan")}, "damping: expected a number > 0, got nan"),
        ({"damping": 1.0, "damping_gradients": -1.0}, r"damping_gradients: expected a number > 0, got -1\.0"),
        ({"damping": 1.0, "damping_gradients": 1.0}, "reduction: expected 'sum' or 'mean' beside damping_gradients"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Isaac(nn.Linear(2, 2), **options)


def test_other_layers_and_shapes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"layer: expected nn\.Linear or nn\.Conv2d, got Conv1d"):
        Isaac(nn.Conv1d(1, 1, 1), damping=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"inputs, gradients: expected .*, got \(2, 3\) and \(4, 3\)"):
        isaac_gradient(random(2, 3), random(4, 3), damping=1.0)
