"""The matrix P of a relaxed comparator network: P[i, j] is the share of input i in output j."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.sort_payload import sort_payload


def sort_matrix(
    x: Tensor,
    first: int,
    count: int,
    network: str,
    k: int,
    relaxation: str,
    beta: float,
    shape: float,
    shift: float,
    straight_through: bool,
) -> Tensor:
    """Rows first … first + count − 1 of P, of x (B, n): (B, count, n)."""
    unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[:, first : first + count]
    unit = unit.expand(x.shape[0], -1, -1)
    return sort_payload(x, unit, network, k, relaxation, beta, shape, shift, straight_through).mT
