"""Values through a relaxed comparator network."""

from __future__ import annotations

from torch import Tensor

from renderer.reference.comparators import run_network
from renderer.sort.relaxations import Relaxation


def sort_values(
    x: Tensor, network: str, k: int, relaxation: str, beta: float, shape: float, shift: float, straight_through: bool
) -> Tensor:
    """x (B, n) -> (B, n), ascending."""
    return run_network(x, None, network, k, Relaxation(relaxation, beta, shape, shift), straight_through)[0]
