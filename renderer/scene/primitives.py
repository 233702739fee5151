"""Simple meshes to start from and to test with; all closed ones are watertight, with faces looking outward."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from renderer.scene.mesh import Mesh


def icosphere(level: int = 3, *, radius: float = 1.0, dtype: torch.dtype = torch.float32) -> Mesh:
    """A sphere around the origin: an icosahedron whose faces are split in four ``level`` times.

    It has 10·4^level + 2 vertices (level 3: 642) and 20·4^level faces.

    Example:
        >>> icosphere(3).num_vertices                            # 642
    """
    if level < 0 or level != int(level):
        raise ValueError(f"level: expected a whole number >= 0, got {level}")
    _check_positive(radius=radius)
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, a, b * golden) for a, b in itertools.product((-1, 1), repeat=2)]
    vertices = torch.tensor([[c[-i], c[1 - i], c[2 - i]] for i in range(3) for c in corners], dtype=torch.float64)
    # The faces of an icosahedron are the triples of vertices that are an edge length (2) apart.
    near = (torch.cdist(vertices, vertices) - 2).abs() < 1e-9
    triples = [
        t for t in itertools.combinations(range(12), 3) if all(near[i, j] for i, j in itertools.combinations(t, 2))
    ]
    faces = _outward(vertices, torch.tensor(triples))
    for _ in range(level):
        vertices, faces = _split_in_four(vertices, faces)
    vertices = radius * vertices / vertices.norm(dim=1, keepdim=True)
    return Mesh(vertices.to(dtype), faces)


def cube(*, size: float = 2.0, dtype: torch.dtype = torch.float32) -> Mesh:
    """An axis-aligned cube of edge length ``size`` around the origin: 8 vertices, 12 faces.

    Example:
        >>> cube().volume                                        # tensor(8.)
    """
    _check_positive(size=size)
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)), dtype=torch.float64)
    # Vertex index = 4 x + 2 y + z with bits 0 and 1; each side as the cycle of its four corners.
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))]
    return Mesh((signs * size / 2).to(dtype), torch.tensor(faces))


def torus(
    *, radius: float = 1.0, tube: float = 0.4, segments: int = 48, sides: int = 24, dtype: torch.dtype = torch.float32
) -> Mesh:
    """A ring in the xy-plane: a circle of ``radius`` around z, thickened to a tube of radius ``tube``; genus 1."""
    _check_positive(radius=radius, tube=tube)
    _check_at_least(3, segments=segments, sides=sides)
    around = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    across = torch.arange(sides, dtype=torch.float64) * (2 * math.pi / sides)
    u, v = torch.meshgrid(around, across, indexing="ij")
    ring = radius + tube * v.cos()
    vertices = torch.stack([ring * u.cos(), ring * u.sin(), tube * v.sin()], dim=-1).reshape(-1, 3)
    i, j = torch.meshgrid(torch.arange(segments), torch.arange(sides), indexing="ij")
    next_i, next_j = (i + 1) % segments, (j + 1) % sides
    quads = [i * sides + j, next_i * sides + j, next_i * sides + next_j, i * sides + next_j]
    return Mesh(vertices.to(dtype), _quads_to_faces(quads))


def cylinder(
    *, radius: float = 1.0, height: float = 2.0, segments: int = 48, dtype: torch.dtype = torch.float32
) -> Mesh:
    """A closed cylinder around the y-axis, centred at the origin, with a vertex in the middle of each cap."""
    _check_positive(radius=radius, height=height)
    _check_at_least(3, segments=segments)
    angle = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    level = torch.full_like(angle, height / 2)
    top = torch.stack([radius * angle.sin(), level, radius * angle.cos()], dim=-1)
    bottom = top * top.new_tensor([1.0, -1.0, 1.0])
    caps = top.new_tensor([[0.0, height / 2, 0.0], [0.0, -height / 2, 0.0]])
    low = torch.arange(segments)
    high = (low + 1) % segments
    upper, lower = torch.full_like(low, 2 * segments), torch.full_like(low, 2 * segments + 1)
    faces = torch.cat(
        [
            _quads_to_faces([low + segments, high + segments, high, low]),
            torch.stack([upper, low, high], dim=1),
            torch.stack([lower, high + segments, low + segments], dim=1),
        ]
    )
    return Mesh(torch.cat([top, bottom, caps]).to(dtype), faces)


def grid(rows: int = 1, columns: int = 1, *, size: float = 2.0, dtype: torch.dtype = torch.float32) -> Mesh:
    """A flat square of edge length ``size`` in the xy-plane that looks towards +z, in rows × columns cells (open).

    Example:
        >>> grid(2, 2).num_faces                                 # 8
    """
    _check_positive(size=size)
    _check_at_least(1, rows=rows, columns=columns)
    y = torch.linspace(-size / 2, size / 2, rows + 1, dtype=torch.float64)
    x = torch.linspace(-size / 2, size / 2, columns + 1, dtype=torch.float64)
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    vertices = torch.stack([grid_x, grid_y, torch.zeros_like(grid_x)], dim=-1).reshape(-1, 3)
    i, j = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    corner = i * (columns + 1) + j
    return Mesh(vertices.to(dtype), _quads_to_faces([corner, corner + 1, corner + columns + 2, corner + columns + 1]))


def _quads_to_faces(corners: list[Tensor]) -> Tensor:
    """Two triangles for each quad, whose four corners are given in counter-clockwise order."""
    a, b, c, d = (corner.reshape(-1) for corner in corners)
    return torch.cat([torch.stack([a, b, c], dim=1), torch.stack([a, c, d], dim=1)])


def _outward(vertices: Tensor, faces: Tensor) -> Tensor:
    """Faces of a convex solid around the origin, turned to look away from it."""
    a, b, c = vertices[faces].unbind(1)
    inward = (a * torch.linalg.cross(b, c)).sum(1) < 0
    return torch.where(inward.unsqueeze(1), faces.flip(1), faces)


def _split_in_four(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Each face into four at the midpoints of its edges, which neighbours share."""
    ends = torch.stack([faces, faces.roll(-1, dims=1)], dim=-1).reshape(-1, 2)
    edges, inverse = torch.unique(ends.sort(dim=1).values, dim=0, return_inverse=True)
    a, b, c = faces.unbind(1)
    ab, bc, ca = (inverse + vertices.shape[0]).reshape(-1, 3).unbind(1)
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    faces = torch.stack([torch.stack(part, dim=1) for part in parts], dim=1).reshape(-1, 3)
    return torch.cat([vertices, vertices[edges].mean(1)]), faces


def _check_positive(**lengths: float) -> None:
    for name, value in lengths.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a positive length, got {value}")


def _check_at_least(least: int, **counts: int) -> None:
    for name, value in counts.items():
        if value < least or value != int(value):
            raise ValueError(f"{name}: expected a whole number >= {least}, got {value}")
