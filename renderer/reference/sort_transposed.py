"""What the outputs of a relaxed comparator network hold, shared out to its inputs."""

from __future__ import annotations

from torch import Tensor

from renderer.reference.sort_matrix import sort_matrix


def sort_transposed(x: Tensor, payload: Tensor, *settings: object) -> Tensor:
    """P · payload, of keys x (B, n) and payload (B, n, d); settings as in `sort_payload`."""
    return sort_matrix(x, 0, x.shape[1], *settings) @ payload  # type: ignore[arg-type]
