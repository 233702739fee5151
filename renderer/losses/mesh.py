"""Regularisers of a mesh: one number per mesh of the batch, differentiable in the vertices.

Sums over edges or vertices are plain sums by default, as published, so that published weights carry over;
`terms="mean"` makes them independent of the resolution. Zero-area faces have no normal: terms that need one are 0.
Finding the edges takes most of the time, so a loop over one face list passes them in: `Mesh.edges` as `edges`,
`interior_edges(faces)` as `pairs`.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from renderer.losses.edges import check_mesh, interior_edges
from renderer.losses.reduction import Reduction, reduce_batch
from renderer.scene.topology import Topology

Weights = Literal["uniform", "cotangent"]
Terms = Literal["sum", "mean"]

# A cross product below this many rounding errors of its factors has no direction, only noise.
DEGENERATE_ROUNDINGS = 8.0


def laplacian(
    vertices: Float[Tensor, "*batch V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    weights: Weights = "uniform",
    edges: Int[Tensor, "E 2"] | None = None,
    terms: Terms = "sum",
    reduction: Reduction = "mean",
) -> Tensor:
    """Σ‖δᵢ‖² over the vertices, δ the discrete Laplacian of the positions.

    uniform: δᵢ = vᵢ − mean of its neighbours (SoftRas, arXiv 1904.01786). cotangent: δᵢ = ½ Σⱼ wᵢⱼ (vᵢ − vⱼ) with
    wᵢⱼ = cot αᵢⱼ + cot βᵢⱼ, the gradient of the surface area (Pinkall and Polthier 1993), zero on any flat interior
    however it is triangulated; the weights are differentiated too. Both are lengths. A vertex without edges has δ = 0.
    Raises: ValueError for wrong shapes, dtypes or options.

        >>> square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> round(float(laplacian(square, torch.tensor([[0, 1, 2], [0, 2, 3]]))), 3)
        2.778
    """
    check_mesh(vertices, faces)
    if weights == "uniform":
        delta = _uniform_delta(vertices, _edges(vertices, faces) if edges is None else edges)
    elif weights == "cotangent":
        delta = _area_gradient(vertices, faces)
    else:
        raise ValueError(f"weights: expected 'uniform' or 'cotangent', got {weights!r}")
    return reduce_batch(_combine(delta.square().sum(-1), terms), reduction)


def edge_length(
    vertices: Float[Tensor, "*batch V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    target: float = 0.0,
    edges: Int[Tensor, "E 2"] | None = None,
    terms: Terms = "sum",
    reduction: Reduction = "mean",
) -> Tensor:
    """Σ(‖e‖ − target)² over the edges, each once; target in the units of the vertices.

    Raises: ValueError for wrong shapes, dtypes or options.

        >>> triangle = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]])
        >>> float(edge_length(triangle, torch.tensor([[0, 1, 2]])))
        50.0
    """
    check_mesh(vertices, faces)
    if target < 0:
        raise ValueError(f"target: expected a length >= 0, got {target}")
    start, end = (_edges(vertices, faces) if edges is None else edges).unbind(1)
    squared = (vertices[..., end, :] - vertices[..., start, :]).square().sum(-1)
    if target == 0:  # no root: smooth where an edge has collapsed
        return reduce_batch(_combine(squared, terms), reduction)
    return reduce_batch(_combine((_safe_sqrt(squared) - target).square(), terms), reduction)


def normal_consistency(
    vertices: Float[Tensor, "*batch V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    pairs: Int[Tensor, "P 4"] | None = None,
    terms: Terms = "sum",
    reduction: Reduction = "mean",
) -> Tensor:
    """Σ(1 − cos φ) over the interior edges, φ the angle between the normals of the two faces (0 when flat).

    Open meshes are fine: boundary edges have no term. The two faces are oriented alike at their edge, whatever
    their winding. Raises: ValueError for wrong shapes, dtypes or options.

        >>> square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> float(normal_consistency(square, torch.tensor([[0, 1, 2], [0, 2, 3]])))
        0.0
    """
    return reduce_batch(_combine(_bends(vertices, faces, pairs), terms), reduction)


def flatten(
    vertices: Float[Tensor, "*batch V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    pairs: Int[Tensor, "P 4"] | None = None,
    terms: Terms = "sum",
    reduction: Reduction = "mean",
) -> Tensor:
    """Σ(cos θ + 1)² over all interior edges, θ the dihedral angle between the two faces (π when flat).

    Open meshes are fine: boundary edges have no term. Equation: SoftRas, arXiv 1904.01786.
    Raises: ValueError for wrong shapes, dtypes or options.

        >>> square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> float(flatten(square, torch.tensor([[0, 1, 2], [0, 2, 3]])))
        0.0
    """
    return reduce_batch(_combine(_bends(vertices, faces, pairs).square(), terms), reduction)


def volume(
    vertices: Float[Tensor, "*batch V 3"], faces: Int[Tensor, "F 3"], *, reduction: Reduction = "mean"
) -> Tensor:
    """Signed volume within a closed mesh, positive when its faces are counter-clockwise from outside.

    Σ a·(b × c)/6 over the faces, from the mean of the vertices (an open mesh is closed by a cone to that point).
    Raises: ValueError for wrong shapes, dtypes or options.

        >>> corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> round(6 * float(volume(corner, torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))), 4)
        1.0
    """
    check_mesh(vertices, faces)
    # Around the mean, since far from the origin the terms are large and cancel.
    a, b, c = (vertices - vertices.mean(-2, keepdim=True))[..., faces, :].unbind(-2)
    return reduce_batch((a * torch.linalg.cross(b, c)).sum((-2, -1)) / 6, reduction)


def laplacian_matrix(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, weights: Weights = "uniform"
) -> Tensor:
    """Sparse symmetric Laplacian L = D − W (V, V) of one mesh, rows summing to zero.

    uniform: W is 1 for each edge, L is positive semi-definite. cotangent: W = ½(cot α + cot β), differentiable in
    the vertices, L v the gradient of the surface area; zero-area faces add nothing. Coalesced COO in the dtype and
    on the device of the vertices. Raises: ValueError for wrong shapes, dtypes or options.

        >>> laplacian_matrix(torch.eye(3), torch.tensor([[0, 1, 2]])).to_dense().diagonal().tolist()
        [2.0, 2.0, 2.0]
    """
    check_mesh(vertices, faces)
    if vertices.ndim != 2:
        raise ValueError(f"vertices: expected one mesh (V, 3), got {tuple(vertices.shape)}")
    if weights == "uniform":
        start, end = _edges(vertices, faces).unbind(1)
        weight = vertices.new_ones(len(start))
    elif weights == "cotangent":
        corners = torch.cat([faces, faces.roll(-1, 1), faces.roll(-2, 1)])
        a, b, apex = vertices[corners].unbind(1)
        start, end = corners[:, 0], corners[:, 1]
        weight = _cotangent(a - apex, b - apex) / 2
    else:
        raise ValueError(f"weights: expected 'uniform' or 'cotangent', got {weights!r}")
    rows = torch.cat([start, end, start, end])
    columns = torch.cat([end, start, start, end])
    values = torch.cat([-weight, -weight, weight, weight])
    size = (vertices.shape[0], vertices.shape[0])
    # The indices come from checked faces; torch's own check of them only costs time (and warns when left unset).
    places = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(places, values, size, device=values.device, check_invariants=False).coalesce()


def _edges(vertices: Tensor, faces: Tensor) -> Int[Tensor, "E 2"]:
    return Topology(faces, vertices.shape[-2]).edges


def _uniform_delta(vertices: Tensor, edges: Tensor) -> Tensor:
    start, end = edges.unbind(1)
    here, there = torch.cat([start, end]), torch.cat([end, start])
    degree = vertices.new_zeros(vertices.shape[-2]).index_add(0, here, vertices.new_ones(len(here)))[:, None]
    total = torch.zeros_like(vertices).index_add(-2, here, vertices[..., there, :])
    return torch.where(degree > 0, vertices - total / degree.clamp(min=1), 0.0)


def _area_gradient(vertices: Tensor, faces: Tensor) -> Tensor:
    """∂(surface area)/∂v: ½ n̂ × (opposite edge) per corner, which is the cotangent sum without its poles."""
    corners = vertices[..., faces, :]
    a, b, c = corners.unbind(-2)
    normal, _ = _unit_cross(b - a, c - a)
    opposite = corners.roll(1, -2) - corners.roll(-1, -2)  # against the corner's own winding: c - b for a
    share = torch.linalg.cross(normal.unsqueeze(-2), opposite) / 2
    return torch.zeros_like(vertices).index_add(-2, faces.flatten(), share.flatten(-3, -2))


def _bends(vertices: Tensor, faces: Tensor, pairs: Tensor | None) -> Float[Tensor, "*batch P"]:
    """1 − cos φ = 1 + cos θ of every interior edge, 0 beside a zero-area face."""
    check_mesh(vertices, faces)
    pairs = interior_edges(faces) if pairs is None else pairs
    start, end, left, right = vertices[..., pairs, :].unbind(-2)
    edge = end - start
    first, first_ok = _unit_cross(edge, left - start)
    second, second_ok = _unit_cross(right - start, edge)
    # ‖n̂₁ − n̂₂‖²/2 equals 1 − n̂₁·n̂₂ and keeps its relative precision where the mesh is flat.
    return torch.where(first_ok & second_ok, (first - second).square().sum(-1) / 2, 0.0)


def _unit_cross(a: Tensor, b: Tensor) -> tuple[Float[Tensor, "*batch 3"], Bool[Tensor, "*batch"]]:
    """Normalised a × b and where it exists; 0, with zero gradient, where a and b are parallel up to rounding."""
    scale = (torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)).detach()
    normal = torch.linalg.cross(a, b)
    exists = normal.detach().norm(dim=-1) > DEGENERATE_ROUNDINGS * torch.finfo(a.dtype).eps * scale
    # Dividing by the (constant) scale first keeps squares within float32's range; it cancels in the gradient.
    normal = normal / torch.where(exists, scale, 1.0).unsqueeze(-1)
    length = _safe_sqrt(torch.where(exists, normal.square().sum(-1), 0.0))
    unit = normal / torch.where(exists, length, 1.0).unsqueeze(-1)
    return torch.where(exists.unsqueeze(-1), unit, 0.0), exists


def _cotangent(a: Tensor, b: Tensor) -> Tensor:
    """Cotangent of the angle between a and b, 0 where they are parallel up to rounding."""
    normal, exists = _unit_cross(a, b)
    sine = (normal * torch.linalg.cross(a, b)).sum(-1)
    return torch.where(exists, (a * b).sum(-1) / torch.where(exists, sine, 1.0), 0.0)


def _safe_sqrt(squared: Tensor) -> Tensor:
    """Root with zero gradient, not an infinite one, at zero."""
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def _combine(values: Float[Tensor, "*batch N"], terms: Terms) -> Float[Tensor, "*batch"]:
    if terms == "sum":
        return values.sum(-1)
    if terms == "mean":
        return values.sum(-1) / max(values.shape[-1], 1)  # no interior edge: 0, not NaN
    raise ValueError(f"terms: expected 'sum' or 'mean', got {terms!r}")
