"""Rows of a payload moved as a relaxed comparator network moves the keys."""

from __future__ import annotations

from torch import Tensor

from renderer.reference.comparators import run_network
from renderer.sort.relaxations import Relaxation


def sort_payload(
    x: Tensor,
    payload: Tensor,
    network: str,
    k: int,
    relaxation: str,
    beta: float,
    shape: float,
    shift: float,
    straight_through: bool,
) -> Tensor:
    """Pᵀ · payload, of keys x (B, n) and payload (B, n, d)."""
    moved = run_network(x, payload, network, k, Relaxation(relaxation, beta, shape, shift), straight_through)[1]
    assert moved is not None
    return moved
