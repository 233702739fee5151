"""Half-edges in the order of their edges, for kernels that look up which faces meet at an edge."""

from __future__ import annotations

import torch
from torch import Tensor


def sorted_edges(faces: Tensor, vertex_count: int) -> tuple[Tensor, Tensor]:
    """(F, 3) -> key (3F,) and half-edge (3F,), by key, then by half-edge.

    Half-edge 3 f + k runs from vertex k to vertex (k + 1) % 3 of face f; half-edges with the same two vertices have the
    same key. Faces that name a vertex twice, or one that is not there, have no edges: key -1.
    """
    following = faces.roll(-1, 1)
    low, high = torch.minimum(faces, following), torch.maximum(faces, following)
    usable = ((low >= 0) & (high < vertex_count) & (low != high)).all(1, keepdim=True)
    return torch.where(usable, low * vertex_count + high, -1).flatten().sort(stable=True)
