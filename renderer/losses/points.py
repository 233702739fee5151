"""Compare point sets, and draw them from the surface of a mesh."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from renderer.losses.edges import check_mesh
from renderer.losses.reduction import Reduction, reduce_batch

Search = Literal["auto", "tree", "chunked"]

# Distances held at a time by the chunked search: 64 MiB in float32.
CHUNK_PAIRS = 1 << 24


def sample_surface(
    vertices: Float[Tensor, "*batch V 3"],
    faces: Int[Tensor, "F 3"],
    count: int,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch {count} 3"]:
    """Points drawn uniformly by area from the surface of each mesh.

    Differentiable in the vertices, which carry the points along; the choice of faces is not. The generator lives
    on the device of the vertices. Equation: P = (1−√r)A + √r(1−s)B + √r·s·C (Osada et al. 2002).
    Raises: ValueError for wrong shapes or dtypes, count < 1, or a mesh whose area is zero or not finite.

        >>> sample_surface(torch.eye(3), torch.tensor([[0, 1, 2]]), 5).sum(-1).allclose(torch.ones(5))
        True
    """
    check_mesh(vertices, faces)
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    a, b, c = vertices.detach()[..., faces, :].unbind(-2)
    # float64: a running sum over many faces in float32 would starve the last ones.
    area = torch.linalg.cross(b - a, c - a).double().norm(dim=-1)
    bounds = area.cumsum(-1)
    total = bounds[..., -1:]
    if not bool(((total > 0) & total.isfinite()).all()):
        raise ValueError("vertices: expected a mesh of positive, finite area to sample from")
    batch = vertices.shape[:-2]
    draw = torch.rand((*batch, count), dtype=torch.float64, device=vertices.device, generator=generator)
    # right=True steps over zero-area faces, whose bound equals the one before.
    face = torch.searchsorted(bounds, draw * total, right=True).clamp(max=len(faces) - 1)
    chosen = faces[face]
    r, s = torch.rand((2, *batch, count, 1), dtype=vertices.dtype, device=vertices.device, generator=generator)
    root = r.sqrt()
    corners = (_take(vertices, chosen[..., k]) for k in range(3))
    weights = (1 - root, root * (1 - s), root * s)
    return sum((w * corner for w, corner in zip(weights, corners, strict=True)), torch.zeros_like(root))


def chamfer(
    points_a: Float[Tensor, "*batch N 3"],
    points_b: Float[Tensor, "*batch M 3"],
    *,
    squared: bool = True,
    search: Search = "auto",
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean distance of each point to the other set's nearest one, both ways added.

    mean_a min_b d + mean_b min_a d, with d = ‖a − b‖² (length²) or, with squared=False, ‖a − b‖ (length).
    Differentiable in both sets; memory O(N + M). `search`: see `nearest`. Equation: Fan et al., arXiv 1612.00603.
    Raises: ValueError for wrong shapes or dtypes, empty sets, or points that are not finite.

        >>> float(chamfer(torch.zeros(4, 3), torch.ones(6, 3)))
        6.0
    """
    there = _squared_distances(points_a, points_b, search)
    back = _squared_distances(points_b, points_a, search)
    if not squared:
        there, back = _root(there), _root(back)
    return reduce_batch(there.mean(-1) + back.mean(-1), reduction)


def f_score(
    points_a: Float[Tensor, "*batch N 3"],
    points_b: Float[Tensor, "*batch M 3"],
    threshold: float,
    *,
    search: Search = "auto",
    reduction: Reduction = "mean",
) -> Tensor:
    """Harmonic mean of precision and recall of two point sets at a distance threshold: a metric, without gradient.

    Precision is the share of a within the threshold of b, recall that of b within the threshold of a;
    2·P·R/(P + R), and 0 when both are 0. Equation: Knapitsch et al., Tanks and Temples (2017).
    Raises: ValueError for wrong shapes or dtypes, empty sets, points that are not finite, or threshold <= 0.

        >>> float(f_score(torch.zeros(4, 3), torch.zeros(6, 3), 0.01))
        1.0
    """
    if not threshold > 0:
        raise ValueError(f"threshold: expected a distance > 0, got {threshold}")
    with torch.no_grad():
        near_a = _squared_distances(points_a, points_b, search) <= threshold**2
        near_b = _squared_distances(points_b, points_a, search) <= threshold**2
    precision, recall = near_a.double().mean(-1), near_b.double().mean(-1)
    total = precision + recall
    return reduce_batch(2 * precision * recall / torch.where(total > 0, total, 1.0), reduction)


def nearest(
    points: Float[Tensor, "*batch N 3"], others: Float[Tensor, "*batch M 3"], *, search: Search = "auto"
) -> Int[Tensor, "*batch N"]:
    """Index of the nearest of `others` for each point (no gradient; of equally near ones, any).

    search: "tree" asks a k-d tree on the CPU, O((N + M) log M); "chunked" compares all pairs on the points' own
    device, some 64 MiB of distances at a time; "auto" is the tree for CPU tensors, else chunked.
    Raises: ValueError for wrong shapes or dtypes, empty sets, or points that are not finite.

        >>> nearest(torch.tensor([[0.9, 0, 0]]), torch.eye(3)).tolist()
        [0]
    """
    _check_points(points, others)
    if search not in ("auto", "tree", "chunked"):
        raise ValueError(f"search: expected 'auto', 'tree' or 'chunked', got {search!r}")
    points, others = points.detach(), others.detach()
    batch, n, m = points.shape[:-2], points.shape[-2], others.shape[-2]
    pairs = list(zip(points.reshape(-1, n, 3), others.reshape(-1, m, 3), strict=True))
    if search == "tree" or (search == "auto" and points.device.type == "cpu"):
        found = [torch.from_numpy(cKDTree(b.cpu().numpy()).query(a.cpu().numpy())[1]) for a, b in pairs]
    else:
        found = [_nearest_chunked(a, b) for a, b in pairs]
    if not found:
        return torch.empty((*batch, n), dtype=torch.int64, device=points.device)
    return torch.stack(found).to(points.device).reshape(*batch, n)


def _nearest_chunked(points: Tensor, others: Tensor) -> Tensor:
    rows = max(1, CHUNK_PAIRS // len(others))
    # The matrix-product form of the distance loses half the digits, enough to pick a wrong neighbour.
    mode = "donot_use_mm_for_euclid_dist"
    return torch.cat([torch.cdist(part, others, compute_mode=mode).argmin(1) for part in points.split(rows)])


def _squared_distances(points: Tensor, others: Tensor, search: Search) -> Float[Tensor, "*batch N"]:
    """‖point − nearest other‖²: the search picks the pairs, autograd sees only these."""
    return (points - _take(others, nearest(points, others, search=search))).square().sum(-1)


def _take(points: Float[Tensor, "*batch M 3"], index: Int[Tensor, "*batch N"]) -> Float[Tensor, "*batch N 3"]:
    return points.gather(-2, index.unsqueeze(-1).expand(*index.shape, 3))


def _root(squared: Tensor) -> Tensor:
    """Root with zero gradient, not an infinite one, where two points coincide."""
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def _check_points(points: Tensor, others: Tensor) -> None:
    for name, value in (("first points", points), ("second points", others)):
        if value.ndim < 2 or value.shape[-1] != 3 or value.shape[-2] == 0 or not value.is_floating_point():
            raise ValueError(
                f"{name}: expected floating (..., N, 3) with N > 0, got {tuple(value.shape)} of {value.dtype}"
            )
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name}: expected finite coordinates, got NaN or infinity")
    if points.shape[:-2] != others.shape[:-2] or points.dtype != others.dtype:
        raise ValueError(
            f"second points: expected batch {tuple(points.shape[:-2])} of {points.dtype} like the first, "
            f"got {tuple(others.shape[:-2])} of {others.dtype}"
        )
