"""Connections between signals that lie near each other."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int32
from torch import Tensor

# Neurons whose distances to all signals are in memory at a time.
_CHUNK = 512


def connect_locally(
    positions: Float[Tensor, "inputs D"], neurons: int, radius: float, generator: torch.Generator | None = None
) -> tuple[Int32[Tensor, "2 neurons"], Float[Tensor, "neurons D"]]:
    """The indices (2, neurons) of inputs at most `radius` apart along every axis, and where the neurons themselves lie.

    positions: of the inputs, in the unit of radius, such as the rows and columns of pixels. The first places use all
    inputs equally often, up to one; the second are any other input within the radius. A neuron lies midway between its
    two inputs, so that layer after layer can be wired by what lies near, as convolutions are. Raises ValueError for
    fewer than 2 inputs or 1 neuron, and for an input with none other within the radius.

    >>> indices, where = connect_locally(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), 8, radius=1)
    >>> LogicLayer(4, 8, connections=indices)
    """
    if positions.ndim != 2 or len(positions) < 2 or neurons < 1:
        raise ValueError(
            f"positions, neurons: expected (inputs, D) of at least 2 inputs, and at least 1 neuron, "
            f"got {tuple(positions.shape)} and {neurons}"
        )
    rounds = -(-neurons // len(positions))
    first = torch.cat([torch.randperm(len(positions), generator=generator) for _ in range(rounds)])[:neurons]
    first = first[torch.randperm(neurons, generator=generator)]
    second = torch.cat([_neighbours(positions, part, radius, generator) for part in first.split(_CHUNK)])
    return torch.stack([first, second]).to(torch.int32), (positions[first] + positions[second]) / 2


def _neighbours(positions: Tensor, of: Tensor, radius: float, generator: torch.Generator | None) -> Tensor:
    """For each signal of `of` another one within the radius, all equally likely."""
    near = (positions[of, None] - positions).abs().amax(-1) <= radius
    near[torch.arange(len(of)), of] = False
    lonely = (~near.any(1)).nonzero().flatten()
    if len(lonely):
        place = positions[of[lonely[0]]].tolist()
        raise ValueError(f"radius: expected one within which every input has another, got {radius}: none near {place}")
    return torch.multinomial(near.float(), 1, generator=generator).squeeze(1)
