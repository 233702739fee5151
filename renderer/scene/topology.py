"""How the faces of a triangle mesh hang together: edges, neighbours, components, genus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

CORNERS = ((0, 1), (1, 2), (2, 0))
"""The three directed edges of a face, as pairs of corners."""


@dataclass(frozen=True, eq=False)
class Topology:
    """Connectivity of ``faces`` (F, 3), computed when first asked for and then kept.

    Faces that name a vertex twice have no area and no inside: they take no part in edges, components or genus.

    Example:
        >>> Topology(torch.tensor([[0, 1, 2], [2, 1, 3]]), num_vertices=4).edge_faces
        tensor([[ 0, -1], [ 0, -1], [ 0,  1], [ 1, -1], [ 1, -1]])
    """

    faces: Int[Tensor, "F 3"]
    num_vertices: int

    @cached_property
    def _half_edges(self) -> tuple[Int[Tensor, "H 2"], Int[Tensor, " H"]]:
        """The H = 3P directed edges of the P faces that count (all first ones, then second, third), and their faces."""
        a, b, c = self.faces.unbind(1)
        proper = ((a != b) & (b != c) & (c != a)).nonzero().squeeze(1)
        used = self.faces[proper]
        directed = torch.cat([used[:, list(pair)] for pair in CORNERS])
        return directed, proper.repeat(3)

    @cached_property
    def _unique(self) -> tuple[Int[Tensor, "E 2"], Int[Tensor, " H"], Int[Tensor, " E"]]:
        """Edges as (low, high) vertex, the edge of each half-edge, and the number of faces at each edge."""
        directed, _ = self._half_edges
        low, high = directed.amin(1), directed.amax(1)
        keys, inverse, counts = torch.unique(low * self.num_vertices + high, return_inverse=True, return_counts=True)
        edges = torch.stack([keys // self.num_vertices, keys % self.num_vertices], dim=1)
        return edges, inverse, counts

    @property
    def edges(self) -> Int[Tensor, "E 2"]:
        """Each undirected edge once, as (lower, higher) vertex index, sorted."""
        return self._unique[0]

    @cached_property
    def edge_faces(self) -> Int[Tensor, "E 2"]:
        """The two faces at each edge of :attr:`edges`, lower index first; -1 where there is no second face.

        Raises:
            ValueError: an edge has more than two faces.
        """
        edges, inverse, counts = self._unique
        if counts.numel() and int(counts.max()) > 2:
            worst = int(counts.argmax())
            low, high = edges[worst].tolist()
            raise ValueError(
                f"edge_faces: expected at most 2 faces at an edge, edge ({low}, {high}) has {counts[worst]}"
            )
        _, owner = self._half_edges
        order = torch.argsort(inverse * self.faces.shape[0] + owner)
        first = torch.cumsum(counts, 0) - counts
        ordered = owner[order]
        second = torch.where(counts == 2, ordered[(first + 1).clamp(max=max(ordered.numel() - 1, 0))], -1)
        return torch.stack([ordered[first], second], dim=1)

    @cached_property
    def is_watertight(self) -> bool:
        """Whether every edge has exactly two faces (and there is at least one edge)."""
        counts = self._unique[2]
        return bool(counts.numel() and (counts == 2).all())

    @cached_property
    def is_oriented(self) -> bool:
        """Whether neighbouring faces run through their common edge in opposite directions."""
        directed, _ = self._half_edges
        keys = directed[:, 0] * self.num_vertices + directed[:, 1]
        return torch.unique(keys).numel() == keys.numel()

    @cached_property
    def num_components(self) -> int:
        """The number of pieces: faces are in the same piece when a chain of common edges joins them."""
        _, owner = self._half_edges
        if not owner.numel():
            return 0
        used = torch.unique(owner)
        pairs = torch.searchsorted(used, owner[self._paired_half_edges])
        return _count_components(pairs, used.numel())

    @cached_property
    def genus(self) -> int:
        """The number of handles of a closed surface, added up over its components.

        From Euler's formula V - E + F = 2 (components - genus). A vertex at which separate sheets only touch counts
        once for each sheet, so pinched surfaces have an integer genus too.

        Raises:
            ValueError: the mesh is not watertight.
        """
        if not self.is_watertight:
            raise ValueError("genus: expected a watertight mesh, this one has an edge without exactly 2 faces")
        directed, owner = self._half_edges
        count = owner.numel() // 3
        # Half-edge h starts at corner h and ends at the next corner of its face; corners at the same vertex of the two
        # faces of an edge belong to one sheet.
        corner = torch.arange(3 * count, device=owner.device)
        following = (corner + count) % (3 * count)
        left, right = self._paired_half_edges.unbind(1)
        same = directed[left, 0] == directed[right, 0]
        start = torch.where(same, right, following[right])
        end = torch.where(same, following[right], right)
        links = torch.cat([torch.stack([left, start], 1), torch.stack([following[left], end], 1)])
        sheets = _count_components(links, 3 * count)
        euler = sheets - self.edges.shape[0] + count
        return self.num_components - euler // 2

    @cached_property
    def _paired_half_edges(self) -> Int[Tensor, "pairs 2"]:
        """Half-edges that follow one another at the same edge, (pairs, 2)."""
        inverse = self._unique[1]
        order = torch.argsort(inverse, stable=True)
        same = inverse[order[1:]] == inverse[order[:-1]]
        return torch.stack([order[:-1][same], order[1:][same]], dim=1)

    @property
    def used_vertices(self) -> Bool[Tensor, " V"]:
        """Whether a face uses the vertex."""
        used = torch.zeros(self.num_vertices, dtype=torch.bool, device=self.faces.device)
        used[self.faces.reshape(-1)] = True
        return used


def _count_components(links: Int[Tensor, "L 2"], count: int) -> int:
    """Connected components of a graph of ``count`` nodes."""
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows, columns = links.cpu().numpy().T
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    return int(connected_components(graph, directed=False, return_labels=False))
