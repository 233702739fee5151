"""Which two inputs a neuron has."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Int32
from torch import Tensor

Connections = Literal["random", "unique"]


def connect(
    inputs: int, neurons: int, connections: Connections | Tensor = "random", generator: torch.Generator | None = None
) -> Int32[Tensor, "2 neurons"]:
    """The indices (2, neurons) of the inputs that each neuron reads.

    "random" uses all inputs equally often, up to one; "unique" besides gives no pair of inputs to two neurons. Neither
    gives a neuron the same input twice, unless there is only one. A tensor (2, neurons) is checked and taken.
    Raises ValueError for fewer than 1, for more unique pairs than there are, and for indices out of range.

    >>> connect(4, 2).shape
    torch.Size([2, 2])
    """
    if inputs < 1 or neurons < 1:
        raise ValueError(f"in_features, out_features: expected at least 1 each, got {inputs} and {neurons}")
    if isinstance(connections, Tensor):
        return _given(inputs, neurons, connections)
    if connections == "random":
        return _random(inputs, neurons, generator).to(torch.int32)
    if connections == "unique":
        return _unique(inputs, neurons, generator).to(torch.int32)
    raise ValueError(f"connections: expected 'random', 'unique' or a tensor of indices, got {connections!r}")


def _given(inputs: int, neurons: int, indices: Tensor) -> Tensor:
    if tuple(indices.shape) != (2, neurons) or indices.is_floating_point() or indices.dtype == torch.bool:
        raise ValueError(
            f"connections: expected integers of shape (2, {neurons}), got {tuple(indices.shape)} in {indices.dtype}"
        )
    if int(indices.min()) < 0 or int(indices.max()) >= inputs:
        came = f"{int(indices.min())} to {int(indices.max())}"
        raise ValueError(f"connections: expected indices of 0 to {inputs - 1}, got {came}")
    return indices.to(torch.int32)


def _random(inputs: int, neurons: int, generator: torch.Generator | None) -> Tensor:
    """Every input as often as any other, in random order, over the places 2 · neurons."""
    order = torch.randperm(inputs, generator=generator)
    places = torch.randperm(2 * neurons, generator=generator)
    pairs = order[places % inputs].reshape(2, neurons)
    if inputs == 1:
        return pairs
    a, b = pairs
    for i in (a == b).nonzero().flatten().tolist():
        if a[i] != b[i]:
            continue  # an earlier exchange has mended it
        # Exchange with a neuron that has nothing to do with this input; one exists, for no input has more than
        # `neurons` places.
        others = ((a != a[i]) & (b != a[i])).nonzero().flatten()
        other = others[torch.randint(len(others), (), generator=generator)]
        b[i], b[other] = b[other].clone(), b[i].clone()
    return pairs


def _unique(inputs: int, neurons: int, generator: torch.Generator | None) -> Tensor:
    """Distinct unordered pairs: disjoint ones first, so that all inputs are used if the neurons suffice."""
    available = inputs * (inputs - 1) // 2
    if neurons > available:
        raise ValueError(
            f"connections: 'unique' finds {available} pairs of {inputs} inputs, expected at least the {neurons} neurons"
        )
    order = torch.randperm(inputs, generator=generator)
    if inputs % 2:
        order = torch.cat([order, order[:1]])
    first = order.reshape(-1, 2)[:neurons].T
    taken = _pair_number(first, inputs)
    # Others at random; the pairs of the first round fall out of the draw.
    draw = torch.randperm(available, generator=generator) if available < 8 * neurons + 64 else None
    while draw is None:
        some = torch.randint(available, (3 * neurons,), generator=generator).unique()
        if len(some) >= neurons:
            draw = some[torch.randperm(len(some), generator=generator)]
    rest = draw[~torch.isin(draw, taken)][: neurons - first.shape[1]]
    pairs = torch.cat([first, _pair(rest, inputs)], 1)
    swap = torch.rand(pairs.shape[1], generator=generator) < 0.5
    return torch.where(swap, pairs.flip(0), pairs)[:, torch.randperm(neurons, generator=generator)]


def _pair_number(pairs: Tensor, inputs: int) -> Tensor:
    """The place of the pairs i < j in the order (0, 1), (0, 2), …, (1, 2), …"""
    i, j = pairs.amin(0), pairs.amax(0)
    return i * (2 * inputs - i - 1) // 2 + j - i - 1


def _pair(number: Tensor, inputs: int) -> Tensor:
    starts = _pair_number(torch.stack([torch.arange(inputs), torch.arange(inputs) + 1]), inputs)
    i = torch.searchsorted(starts, number, right=True) - 1
    # The last rows are empty and begin where the one before ends.
    i = torch.minimum(i, torch.tensor(inputs - 2))
    return torch.stack([i, number - starts[i] + i + 1])
