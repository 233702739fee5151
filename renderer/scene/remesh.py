"""Isotropic remeshing: split, collapse, flip and slide until every edge has about the same length.

Every pass works on whole arrays. An operation that could disturb its neighbours is applied to an independent set at a
time: the candidates that come first, by a fixed priority, in their own neighbourhood. So the result is deterministic,
and no step can change the topology (a collapse obeys the link condition, a flip never doubles an edge).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from renderer.scene.closest_point import ClosestPoint
from renderer.scene.mesh import Mesh

Vertices = NDArray[np.float64]
Indices = NDArray[np.int64]

SPLIT_RATIO = 4 / 3  # Botsch and Kobbelt's bounds: a longer edge is split into halves that are closer to the target,
COLLAPSE_RATIO = 4 / 5  # a shorter one is collapsed
SURFACE_RATIO = 2.0  # longest edge, relative to the target, of the faces that vertices are projected to
MIN_NORMAL_DOT = 0.5  # a step may not turn a face by more than 60 degrees: that keeps the surface from folding
REGULAR_VALENCE = 6
LENGTH_CLASSES = 4  # short edges collapse in this many classes, the shortest first
MAX_ROUNDS = 60  # independent sets per pass; a pass ends by itself when nothing is left to do


def remesh(mesh: Mesh, edge_length: float, *, iterations: int = 5) -> Mesh:
    """Remesh a closed surface with edges of about `edge_length`; the topology is kept, the positions carry no gradient.

    Each iteration splits the edges longer than 4/3 of the target, collapses those shorter than 4/5, flips edges towards
    valence 6, moves vertices within their tangent planes to the centroid of their neighbours, and projects them back
    to the surface that came in.

    Shapes: vertices (V, 3) and faces (F, 3) to (V', 3) and (F', 3).
    Raises ValueError if the mesh is batched or not watertight, or `edge_length` or `iterations` is not positive.
    Source: Botsch and Kobbelt, "A Remeshing Approach to Multiresolution Modeling", 2004.

    >>> sphere = remesh(icosphere(4, radius=1.0), 0.1)
    >>> round(float(sphere.face_areas.sum()), 1)
    12.5
    """
    if mesh.vertices.ndim != 2:
        raise ValueError(f"mesh: expected vertices of shape (V, 3), got {tuple(mesh.vertices.shape)}")
    if not mesh.is_watertight:
        raise ValueError("mesh: expected a closed surface (every edge in two faces, turned the same way)")
    if not edge_length > 0:
        raise ValueError(f"edge_length: expected a positive length, got {edge_length}")
    if iterations < 1:
        raise ValueError(f"iterations: expected at least 1, got {iterations}")
    vertices = mesh.vertices.detach().cpu().numpy().astype(np.float64)
    faces = mesh.faces.cpu().numpy()
    vertices, faces = remesh_arrays(vertices, faces, edge_length, iterations)
    return Mesh(
        torch.from_numpy(vertices).to(mesh.vertices.device, mesh.vertices.dtype),
        torch.from_numpy(faces).to(mesh.faces.device),
    )


def remesh_arrays(vertices: Vertices, faces: Indices, edge_length: float, iterations: int) -> tuple[Vertices, Indices]:
    """`remesh` on plain arrays, without the checks."""
    # Long faces in many pieces: the same surface, of which the search tree then finds the near parts at once.
    surface = ClosestPoint(*_split(vertices, faces, SURFACE_RATIO * edge_length))
    for _ in range(iterations):
        vertices, faces = _split(vertices, faces, SPLIT_RATIO * edge_length)
        vertices, faces = _collapse(vertices, faces, COLLAPSE_RATIO * edge_length, SPLIT_RATIO * edge_length)
        faces = _flip(vertices, faces)
        vertices = _slide(vertices, faces, surface)
    return vertices, faces


def edge_faces(faces: Indices) -> tuple[Indices, Indices, Indices]:
    """Edges (E, 2), the corner opposite each on either side (E, 2), and its two faces (E, 2), of a closed surface.

    The first side is the face that runs along the edge from its smaller to its larger index.
    """
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    opposite = faces[:, [2, 0, 1]].ravel()
    # Sorting by (smaller, larger, direction) puts the two half-edges of an edge side by side.
    smaller, larger = np.minimum(start, end), np.maximum(start, end)
    order = np.argsort((smaller * (faces.max() + 1) + larger) * 2 + (start > end), kind="stable")
    first, second = order[0::2], order[1::2]
    edges = np.stack([start[first], end[first]], axis=1)
    return edges, np.stack([opposite[first], opposite[second]], axis=1), np.stack([first // 3, second // 3], axis=1)


def _normals(vertices: Vertices, faces: Indices) -> Vertices:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _turned(before: Vertices, after: Vertices) -> NDArray[np.bool_]:
    """Which faces turn too far (or vanish) when their normals go from `before` to `after`."""
    dot = (before * after).sum(axis=-1)
    limit = MIN_NORMAL_DOT * np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    return (dot < limit) | ~(np.linalg.norm(after, axis=-1) > 0)


def _lengths(vertices: Vertices, edges: Indices) -> Vertices:
    return np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)


def _rank(merit: Indices) -> Indices:
    """Distinct priorities, 0 for the least merit; ties in a fixed shuffled order.

    Shuffled, because ties in the order of the index would let whole rows of a regular mesh wait for their neighbour.
    """
    shuffled = np.random.default_rng(0).permutation(len(merit))
    rank = np.empty(len(merit), dtype=np.int64)
    rank[np.lexsort((shuffled, merit))] = np.arange(len(merit))
    return rank


def _winners(rank: Indices, claimed: Indices, num_vertices: int) -> NDArray[np.bool_]:
    """Candidates of lowest rank at every vertex they claim: no two winners share a vertex.

    Shapes: rank (N,), claimed (N, K) vertex indices, result (N,).
    """
    best = np.full(num_vertices, np.iinfo(np.int64).max)
    np.minimum.at(best, claimed.ravel(), np.repeat(rank, claimed.shape[1]))
    return (best[claimed] == rank[:, None]).all(axis=1)


def _split(vertices: Vertices, faces: Indices, longest: float) -> tuple[Vertices, Indices]:
    """Put a vertex on the middle of every edge that is too long, until none is left."""
    for _ in range(MAX_ROUNDS):
        edges, _, sides = edge_faces(faces)
        long = _lengths(vertices, edges) > longest
        if not long.any():
            break
        middle = np.full(len(edges), -1, dtype=np.int64)
        middle[long] = len(vertices) + np.arange(long.sum())
        vertices = np.concatenate([vertices, vertices[edges[long]].mean(axis=1)])
        faces = _subdivide(vertices, faces, edges, sides, middle)
    return vertices, faces


def _subdivide(vertices: Vertices, faces: Indices, edges: Indices, sides: Indices, middle: Indices) -> Indices:
    """Replace faces by 2, 3 or 4 so that they meet the new vertices `middle` (-1 = none) on their edges."""
    on_corner = np.full((len(faces), 3), -1, dtype=np.int64)  # the new vertex between corner k and corner k + 1
    for side in (0, 1):
        face = sides[:, side]
        start = edges[:, side]  # the second face runs along the edge backwards
        corner = (faces[face] == start[:, None]).argmax(axis=1)
        on_corner[face, corner] = middle
    count = (on_corner >= 0).sum(axis=1)
    pieces = [faces[count == 0]]

    # One or two new vertices: turn the face so that edge (a, b) has one and, of two, edge (b, c) has the other.
    one, two, three = count == 1, count == 2, count == 3
    turn = np.zeros(len(faces), dtype=np.int64)
    turn[one] = on_corner[one].argmax(axis=1)
    turn[two] = (on_corner[two].argmin(axis=1) + 1) % 3
    columns = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, columns, axis=1).T
    ab, bc, ca = np.take_along_axis(on_corner, columns, axis=1).T
    pieces += [np.stack(t, axis=1)[one] for t in ((a, ab, c), (ab, b, c))]
    pieces += [np.stack((ab, b, bc), axis=1)[two]]
    shorter = _lengths(vertices, np.stack([ab, c], axis=1)) < _lengths(vertices, np.stack([a, bc], axis=1))
    pieces += [np.stack(t, axis=1)[two & shorter] for t in ((ab, bc, c), (ab, c, a))]
    pieces += [np.stack(t, axis=1)[two & ~shorter] for t in ((ab, bc, a), (bc, c, a))]
    pieces += [np.stack(t, axis=1)[three] for t in ((a, ab, ca), (ab, b, bc), (bc, c, ca), (ab, bc, ca))]
    return np.concatenate(pieces)


def _collapse(vertices: Vertices, faces: Indices, shortest: float, longest: float) -> tuple[Vertices, Indices]:
    """Merge the ends of every edge that is too short, where that makes no long edge, fold or pinch."""
    refused = np.empty((0, 2), dtype=np.int64)  # edges found unfit: they would win their neighbourhood again
    for _ in range(MAX_ROUNDS):
        edges, opposite, _ = edge_faces(faces)
        length = _lengths(vertices, edges)
        short = length < shortest
        short[np.searchsorted(_key(edges, len(vertices)), _key(refused, len(vertices)))] = False
        candidates = np.flatnonzero(short)
        if not len(candidates):
            break
        # A winner must be first among all candidates within its two 1-rings, so that no two rings overlap.
        rank = _rank((LENGTH_CLASSES * length[candidates] / shortest).astype(np.int64))
        best = np.full(len(vertices), len(candidates))
        np.minimum.at(best, edges[candidates].ravel(), np.repeat(rank, 2))
        near = best.copy()
        np.minimum.at(near, edges[:, 0], best[edges[:, 1]])
        np.minimum.at(near, edges[:, 1], best[edges[:, 0]])
        first = (near[edges[candidates]] == rank[:, None]).all(axis=1)
        candidates, rank = candidates[first], rank[first]
        # Two rings may still share an opposite vertex, which loses one neighbour to each: let the first have it.
        candidates = candidates[_winners(rank, opposite[candidates], len(vertices))]

        ends = edges[candidates]
        merged = vertices.copy()
        merged[ends[:, 0]] = merged[ends[:, 1]] = vertices[ends].mean(axis=1)
        valence = np.bincount(edges.ravel(), minlength=len(vertices))
        unfit = (_common_neighbours(edges, len(vertices), ends) != 2) | (valence[opposite[candidates]].min(axis=1) <= 3)
        owner = np.full(len(vertices), -1, dtype=np.int64)  # the collapse that moves a vertex
        owner[ends[:, 0]] = owner[ends[:, 1]] = np.arange(len(ends))
        moved = owner[faces]
        touched = np.flatnonzero((moved >= 0).sum(axis=1) == 1)  # two: the face vanishes
        corners = merged[faces[touched]]
        too_long = np.linalg.norm(corners - corners[:, [1, 2, 0]], axis=2).max(axis=1) > longest
        bad = too_long | _turned(_normals(vertices, faces[touched]), _normals(merged, faces[touched]))
        unfit[moved[touched[bad]].max(axis=1)] = True

        refused = np.concatenate([refused, ends[unfit]])
        ends = ends[~unfit]
        vertices = vertices.copy()
        vertices[ends[:, 0]] = merged[ends[:, 0]]
        target = np.arange(len(vertices))
        target[ends[:, 1]] = ends[:, 0]
        faces = target[faces]
        faces = faces[(faces != faces[:, [1, 2, 0]]).all(axis=1)]
        used = np.ones(len(vertices), dtype=bool)
        used[ends[:, 1]] = False
        # A changed neighbourhood gives a refused edge another chance; the others keep their order, so stay sorted.
        changed = np.zeros(len(vertices), dtype=bool)
        changed[ends] = True
        changed[faces[changed[faces].any(axis=1)]] = True
        refused = refused[~changed[refused].any(axis=1)]
        new_index = np.cumsum(used) - 1
        vertices, faces, refused = vertices[used], new_index[faces], new_index[refused]
    return vertices, faces


def _key(edges: Indices, num_vertices: int) -> Indices:
    return edges[:, 0] * num_vertices + edges[:, 1]


def _common_neighbours(edges: Indices, num_vertices: int, ends: Indices) -> Indices:
    """How many vertices both `ends` (N, 2) of an edge are joined to (link condition: two)."""
    source, other = np.concatenate([edges, edges[:, ::-1]]).T
    order = np.argsort(source, kind="stable")
    other = other[order]
    start = np.searchsorted(source[order], np.arange(num_vertices + 1))
    a, b = ends.T
    degree = start[a + 1] - start[a]
    row = np.repeat(np.arange(len(ends)), degree)
    offset = np.arange(degree.sum()) - np.repeat(np.cumsum(degree) - degree, degree)
    neighbour = other[start[a][row] + offset]  # every neighbour of a; which of them are neighbours of b?
    return np.bincount(row[_has_edge(edges, num_vertices, neighbour, b[row])], minlength=len(ends))


def _has_edge(edges: Indices, num_vertices: int, a: Indices, b: Indices) -> NDArray[np.bool_]:
    key = _key(edges, num_vertices)  # sorted: edge_faces returns the edges in this order
    wanted = np.minimum(a, b) * num_vertices + np.maximum(a, b)
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return key[place] == wanted


def _flip(vertices: Vertices, faces: Indices) -> Indices:
    """Flip edges while that brings the valences of the four vertices around closer to six."""
    faces = faces.copy()
    for _ in range(MAX_ROUNDS):
        edges, opposite, sides = edge_faces(faces)
        valence = np.bincount(edges.ravel(), minlength=len(vertices))
        excess = valence - REGULAR_VALENCE
        # One neighbour less at the ends and one more at the opposite corners changes the sum of squares by
        # 4 + 2 (e_c + e_d - e_a - e_b).
        gain = excess[edges].sum(axis=1) - excess[opposite].sum(axis=1) - 2
        c, d = opposite.T
        fit = (gain > 0) & (valence[edges].min(axis=1) > 3) & ~_has_edge(edges, len(vertices), c, d)
        index = np.flatnonzero(fit)
        a, b = edges[index].T
        c, d = opposite[index].T
        first, second = np.stack([c, d, b], axis=1), np.stack([d, c, a], axis=1)
        old = _normals(vertices, faces[sides[index, 0]]) + _normals(vertices, faces[sides[index, 1]])
        fits = ~_turned(old, _normals(vertices, first)) & ~_turned(old, _normals(vertices, second))
        index, first, second = index[fits], first[fits], second[fits]
        claimed = np.concatenate([edges[index], opposite[index]], axis=1)
        win = _winners(_rank(-gain[index]), claimed, len(vertices))
        if not win.any():
            break
        faces[sides[index[win], 0]] = first[win]
        faces[sides[index[win], 1]] = second[win]
    return faces


def _slide(vertices: Vertices, faces: Indices, surface: ClosestPoint) -> Vertices:
    """Move each vertex to the centroid of its neighbours within the tangent plane, then back to the surface."""
    edges, _, _ = edge_faces(faces)
    total = np.zeros_like(vertices)
    for k in range(3):
        total[:, k] = np.bincount(edges[:, 0], vertices[edges[:, 1], k], len(vertices))
        total[:, k] += np.bincount(edges[:, 1], vertices[edges[:, 0], k], len(vertices))
    centroid = total / np.bincount(edges.ravel(), minlength=len(vertices))[:, None]
    face_normals = _normals(vertices, faces)
    normal = np.zeros_like(vertices)
    for k in range(3):
        normal[:, k] = np.bincount(faces.ravel(), np.repeat(face_normals[:, k], 3), len(vertices))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    move = centroid - vertices
    return surface(vertices + move - (move * normal).sum(axis=1, keepdims=True) * normal)
