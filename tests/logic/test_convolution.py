from __future__ import annotations

import pytest
import torch
from torch import Tensor

from renderer.logic import LogicConv2d, LogicNet, OrPool2d
from renderer.reference.logic_layers import sixteen_gate_layer
from renderer.relax import t_conorm


def by_hand(layer: LogicConv2d, x: Tensor) -> Tensor:
    """Every position on its own: cut the window out, and run the trees by the textbook sum of 16 gates."""
    k, p = layer.kernel_size, layer.padding
    x = torch.nn.functional.pad(x, (p, p, p, p))
    rows = []
    for i in range(x.shape[2] - k + 1):
        row = []
        for j in range(x.shape[3] - k + 1):
            value = x[:, :, i : i + k, j : j + k].flatten(1)
            for level in layer.layers:
                value = sixteen_gate_layer(value, level.weight, level.indices)
            row.append(value)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


@pytest.mark.parametrize(
    ("channels", "kernel_size", "depth", "padding"), [(1, 3, 2, 0), (2, 3, 3, 1), (3, 1, 1, 0), (1, 2, 3, 1)]
)
def test_trees_equal_windows_cut_out_one_by_one(channels: int, kernel_size: int, depth: int, padding: int) -> None:
    torch.manual_seed(0)
    layer = LogicConv2d(channels, 5, kernel_size, depth=depth, padding=padding, residual=False).double()
    x = torch.rand(3, channels, 6, 5, dtype=torch.float64, requires_grad=True)
    results = []
    for run in (layer, lambda x: by_hand(layer, x)):
        layer.zero_grad()
        y = run(x)
        (grad,) = torch.autograd.grad(y.square().sum(), x, retain_graph=True)
        y.square().sum().backward()
        results.append((y.detach(), grad, *(level.weight.grad for level in layer.layers)))
    for mine, exact in zip(*results, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-12, atol=1e-12)
    assert results[0][0].shape == (3, 5, 6 + 2 * padding - kernel_size + 1, 5 + 2 * padding - kernel_size + 1)


def test_leaves_of_a_tree_are_distinct_places_of_the_window() -> None:
    layer = LogicConv2d(2, 50, 3, depth=4)
    leaves = layer.layers[0].indices.T.reshape(50, 16)
    assert all(len(row.unique()) == 16 for row in leaves)
    assert leaves.min() == 0
    assert leaves.max() == 17
    small = LogicConv2d(1, 10, 2, depth=3).layers[0].indices
    assert (small[0] != small[1]).all()


@pytest.mark.parametrize(("padding", "pool"), [(0, 2), (1, 3), (2, 1)])
def test_compiled_equals_discrete(padding: int, pool: int) -> None:
    torch.manual_seed(1)
    size = 8 - 2 * padding
    net = LogicNet(
        LogicConv2d(2, 4, 3, depth=2, padding=padding, residual=False),
        OrPool2d(pool),
        LogicConv2d(4, 3, 1, depth=1, residual=False),
    )
    bits = torch.rand(70, 2, size, size) > 0.6
    expected = net.discrete(bits)
    assert torch.equal(net.compile(input_shape=(2, size, size))(bits.flatten(1)), expected.flatten(1))
    with torch.no_grad():
        for layer in net.gate_layers:
            layer.weight.mul_(1e4)
    torch.testing.assert_close(net(bits), expected.float(), rtol=1e-4, atol=1e-4)


def test_another_t_norm() -> None:
    torch.manual_seed(0)
    layer = LogicConv2d(1, 2, 3, depth=2, residual=False, t_conorm=t_conorm("frank", 1.0 + 1e-9)).double()
    plain = LogicConv2d(1, 2, 3, depth=2).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.rand(2, 1, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["max", "probabilistic", "einstein"])
def test_pooling_is_the_t_conorm_of_each_window(name: str) -> None:
    conorm = t_conorm(name)
    x = torch.rand(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    y = OrPool2d(2, t_conorm=conorm)(x)
    assert y.shape == (2, 3, 2, 3)
    torch.testing.assert_close(y[1, 2, 1, 0], conorm.reduce(x[1, 2, 2:4, 0:2].flatten(), dim=0))
    assert torch.autograd.gradcheck(OrPool2d(2, t_conorm=conorm), [x])
    bits = x > 0.7
    assert torch.equal(OrPool2d(2, t_conorm=conorm)(bits.double()) > 0.5, OrPool2d(2).discrete(bits))


def test_pooling_is_max_unless_told_otherwise() -> None:
    x = torch.rand(1, 1, 4, 4)
    assert torch.equal(OrPool2d(2)(x), torch.nn.functional.max_pool2d(x, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: LogicConv2d(1, 2, 3, depth=0),
            "in_channels, out_channels, kernel_size, depth, padding: expected at least",
        ),
        (lambda: LogicConv2d(1, 2, 3, depth=1)(torch.rand(1, 2, 5, 5)), r"x: expected \(N, 1, H, W\)"),
        (lambda: LogicConv2d(1, 2, 5, depth=1)(torch.rand(1, 1, 4, 9)), "x: expected images of at least 5 pixels"),
        (lambda: OrPool2d(0), "kernel_size: expected at least 1, got 0"),
        (lambda: OrPool2d(2)(torch.rand(1, 1, 4, 5)), r"x: expected sides that are multiples of 2, got \(4, 5\)"),
        (lambda: OrPool2d(2)(torch.rand(4, 4)), r"x: expected \(N, C, H, W\), got \(4, 4\)"),
        (lambda: LogicNet(LogicConv2d(1, 2, 3, depth=1)).compile(input_shape=(9,)), r"LogicConv2d expects \(1, H, W\)"),
    ],
)
def test_errors_are_one_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
