"""Meshes as voxels."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from renderer.scene.mesh import Mesh

# Columns of voxels run beside the grid's own lines by this share of a voxel, so that they miss the vertices and edges
# of meshes made on grids; it is far below what a voxel shows.
ASIDE = (1.3e-4, 0.7e-4)


def voxelize(mesh: Mesh, resolution: int = 32) -> Bool[Tensor, "*batch R R R"]:
    """Which points of a grid over the cube [−½, ½]³ lie inside a closed mesh; indices are those of x, y, z.

    Point i of an axis lies at (i − (R−1)/2)/(R−1): the outermost are on the cube's faces, as in the voxel files of the
    published single-view experiments. Inside is where the winding number is not 0, so that parts may overlap. What
    lies outside the cube is not seen. No gradient.

    Raises:
        ValueError: a mesh that is not watertight, or a resolution below 2.

    Example:
        >>> voxelize(icosphere(3, radius=0.5)).float().mean()                 # about π/6
    """
    if resolution < 2:
        raise ValueError(f"resolution: expected at least 2 points an axis, got {resolution}")
    if not mesh.is_watertight:
        raise ValueError("mesh: expected a watertight mesh, this one has an edge without exactly 2 faces")
    vertices = mesh.vertices.detach()
    each = [_voxels(one, mesh.faces, resolution) for one in vertices.reshape(-1, *vertices.shape[-2:])]
    return torch.stack(each).reshape(*vertices.shape[:-2], *each[0].shape)


def voxel_iou(one: Bool[Tensor, "*batch R R R"], other: Bool[Tensor, "*batch R R R"]) -> Tensor:
    """Intersection over union of each pair of voxel grids, (*batch); two empty ones agree, 1.

    >>> voxel_iou(voxelize(mesh), voxelize(mesh))
    tensor(1.)
    """
    union = (one | other).flatten(-3).sum(-1)
    return torch.where(union > 0, (one & other).flatten(-3).sum(-1) / union.clamp(min=1), 1.0)


def _voxels(vertices: Tensor, faces: Tensor, resolution: int) -> Tensor:
    """The winding number along each column (x, y): the crossings above a point, signed by the way they face."""
    corners = (vertices.double() * (resolution - 1) + (resolution - 1) / 2)[faces]
    shift = corners.new_tensor(ASIDE)
    face, x, y = _columns(corners[..., :2] - shift, resolution)
    flat = corners[face]
    point = torch.stack([x, y], dim=-1).to(flat) + shift
    a, b, c = (flat[:, i, :2] - point for i in range(3))
    weights = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=-1)
    inside = (weights > 0).all(-1) | (weights < 0).all(-1)
    face, x, y, weights, flat = face[inside], x[inside], y[inside], weights[inside], flat[inside]
    total = weights.sum(-1)
    height = (weights * flat[..., 2]).sum(-1) / total
    # A crossing at height h counts for the points below it: those with index < h.
    below = torch.ceil(height).clamp(0, resolution).long()
    counts = torch.zeros(resolution * resolution * (resolution + 1), dtype=torch.int64, device=vertices.device)
    counts.index_add_(0, (x * resolution + y) * (resolution + 1) + below, total.sign().long())
    counts = counts.reshape(resolution, resolution, resolution + 1)
    winding = counts.flip(-1).cumsum(-1).flip(-1)[..., 1:]
    return winding != 0


def _columns(corners: Tensor, resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """All (face, x, y) where the column lies in the face's bounding box."""
    low = torch.ceil(corners.amin(1)).clamp(0, resolution).long()
    high = torch.floor(corners.amax(1)).clamp(-1, resolution - 1).long()
    size = (high - low + 1).clamp(min=0)
    count = size.prod(-1)
    face = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    within = torch.arange(len(face), device=count.device) - (count.cumsum(0) - count)[face]
    return face, low[face, 0] + within // size[face, 1], low[face, 1] + within % size[face, 1]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
