"""What the mesh regularisers ask of a triangle list beyond its `Topology`."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def interior_edges(faces: Int[Tensor, "F 3"]) -> Int[Tensor, "P 4"]:
    """Pairs of faces that share an edge, as (edge start, edge end, apex of one face, apex of the other).

    Boundary edges have no pair; an edge with k > 2 faces gives all k(k−1)/2 pairs.

        >>> interior_edges(torch.tensor([[0, 1, 2], [2, 1, 3]])).tolist()
        [[1, 2, 3, 0]]
    """
    corners = torch.cat([faces, faces.roll(-1, 1), faces.roll(-2, 1)])
    low, high, apex = corners[:, :2].amin(1), corners[:, :2].amax(1), corners[:, 2]
    proper = low != high
    low, high, apex = low[proper], high[proper], apex[proper]
    key, order = torch.sort(low * (faces.max() + 1) + high, stable=True)
    low, high, apex = low[order], high[order], apex[order]
    pairs = []
    for step in range(1, len(key)):  # ends after one round on a manifold: no edge has a third face
        first = (key[step:] == key[:-step]).nonzero()[:, 0]
        if len(first) == 0:
            break
        pairs.append(torch.stack([low[first], high[first], apex[first], apex[first + step]], 1))
    return torch.cat(pairs) if pairs else faces.new_empty((0, 4))


def check_mesh(vertices: Float[Tensor, "*batch V 3"], faces: Int[Tensor, "F 3"]) -> None:
    """ValueError unless the two have the shapes and kinds of dtype of a mesh (`Mesh` checks the values)."""
    if vertices.ndim < 2 or vertices.shape[-1] != 3 or not vertices.is_floating_point():
        raise ValueError(f"vertices: expected floating (..., V, 3), got {tuple(vertices.shape)} of {vertices.dtype}")
    if faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0 or faces.dtype != torch.int64:
        raise ValueError(f"faces: expected int64 (F, 3) with F > 0, got {tuple(faces.shape)} of {faces.dtype}")
