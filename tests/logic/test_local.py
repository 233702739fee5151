from __future__ import annotations

import pytest
import torch
from torch import Tensor

from renderer.logic import connect_locally, dense_net


def grid(height: int, width: int) -> Tensor:
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).float()


@pytest.mark.parametrize(("neurons", "radius"), [(50, 1.0), (700, 2.0), (42, 1.5)])
def test_inputs_lie_near_each_other_and_are_used_equally(neurons: int, radius: float) -> None:
    positions = grid(6, 7)
    indices, where = connect_locally(positions, neurons, radius, torch.Generator().manual_seed(0))
    assert indices.dtype == torch.int32
    first, second = indices.long()
    assert (first != second).all()
    assert ((positions[first] - positions[second]).abs() <= radius).all()
    uses = first.bincount(minlength=42)
    assert int(uses.max()) - int(uses.min()) <= 1
    torch.testing.assert_close(where, (positions[first] + positions[second]) / 2)


def test_every_neighbour_is_as_likely() -> None:
    positions = grid(3, 3)
    indices, _ = connect_locally(positions, 9_000, 1.0, torch.Generator().manual_seed(0))
    uses = indices[1, indices[0] == 4].long().bincount(minlength=9)  # the partners of the centre
    assert uses[4] == 0
    assert uses[[0, 1, 2, 3, 5, 6, 7, 8]].min() > 80  # 125 expected


def test_dense_nets_are_wired_locally_layer_by_layer() -> None:
    positions = grid(10, 10)
    net = dense_net(
        100, 400, 3, 2, tau=1.0, positions=positions, radii=(1, 1.5), generator=torch.Generator().manual_seed(0)
    )
    for layer, radius in zip(net.gate_layers[:2], (1, 1.5), strict=True):
        first, second = layer.indices.long()
        assert ((positions[first] - positions[second]).abs() <= radius).all()
        positions = (positions[first] + positions[second]) / 2
    first, second = net.gate_layers[2].indices.long()
    assert (positions[first] - positions[second]).abs().max() > 5  # the last layer is wired at random


@pytest.mark.parametrize(
    ("positions", "neurons", "radius", "message"),
    [
        (grid(1, 1), 3, 1.0, r"positions, neurons: expected \(inputs, D\) of at least 2 inputs.*got \(1, 2\) and 3"),
        (grid(2, 2), 0, 1.0, r"got \(4, 2\) and 0"),
        (torch.rand(4), 3, 1.0, r"got \(4,\) and 3"),
        (grid(2, 2), 3, 0.5, "radius: expected one within which every input has another, got 0.5: none near"),
    ],
)
def test_errors_are_one_line(positions: Tensor, neurons: int, radius: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connect_locally(positions, neurons, radius)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radii": (1,)}, "positions, radii: expected both or neither"),
        ({"positions": grid(2, 2)}, "positions, radii: expected both or neither"),
        ({"positions": grid(2, 3), "radii": (1,)}, r"positions: expected \(4, D\), got \(6, 2\)"),
        ({"positions": grid(2, 2), "radii": (1, 1, 1)}, "radii: expected at most 2, one a layer, got 3"),
    ],
)
def test_wrong_nets_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dense_net(4, 6, 2, 2, tau=1.0, **options)
