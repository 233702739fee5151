"""Scenes that every coverage op has to get right: random, degenerate, tiny, crowded."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.relax import DISTRIBUTIONS
from tests.ops.test_hard_ops import ball, soup

# The density of gamma_rev with shape < 1 is infinite at its end, where float32 distances have no accurate coverage.
SHAPES = {"gamma": 1.7, "gamma_rev": 2.1}
P = {"hamacher": 1.7, "frank": 2.5, "yager": 2.3, "aczel_alsina": 1.6, "dombi": 1.4, "schweizer_sklar": -1.5}


def parameters(distribution: str, last: float = 0.0, scale: float = 1.3) -> Tensor:
    """Scale, shape, shift and one more."""
    shift = 0.4 if DISTRIBUTIONS[distribution].has_shift else 0.0
    return torch.tensor([scale, SHAPES.get(distribution, 0.0), shift, last], dtype=torch.float64)


def degenerate() -> tuple[Tensor, Tensor]:
    """Faces without area, a point, with one vertex named twice, behind the camera, and one that is fine."""
    x = torch.tensor([[3.0, 3], [9, 9], [6, 6], [14, 4], [4, 13], [5.5, 5.5], [5.5, 5.5], [5.5, 5.5], [8, 2]])
    depth = torch.full((9, 1), 2.0)
    depth[8] = -1.0
    vertices = torch.cat([x, depth], 1).double()[None].repeat(2, 1, 1)
    return vertices, torch.tensor([[0, 1, 2], [5, 6, 7], [0, 0, 3], [0, 3, 8], [0, 3, 4]])


def collapsed() -> tuple[Tensor, Tensor]:
    """One face of two corners in the same place, whose area is 0 only if no product of it is fused with a sum."""
    vertices = torch.tensor([[3.1, 2.2, 2.0], [20.3, 17.7, 2.0], [20.3, 17.7, 2.0]], dtype=torch.float64)
    return vertices[None], torch.tensor([[0, 1, 2]])


def crowd() -> tuple[Tensor, Tensor]:
    """A bumpy grid of triangles in a corner, each there many times: far pixels see little of it, near ones all."""
    side = 20
    generator = torch.Generator().manual_seed(0)
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    xyz = torch.stack([column, row, torch.ones(side, side)], -1).double() * torch.tensor([0.4, 0.4, 2.0])
    xyz += torch.tensor([7.0, 7.0, 0.0]) + 0.3 * torch.rand(side, side, 3, generator=generator, dtype=torch.float64)
    corner = (row * side + column)[:-1, :-1].flatten()
    faces = torch.cat([corner[:, None] + torch.tensor(k) for k in ([0, side, 1], [1, side, side + 1])])
    order = torch.randint(len(faces), (100_000,), generator=generator)
    return xyz.reshape(1, -1, 3), faces[order]


SCENES = {
    "ball": (*ball(), (21, 18)),  # no side is a multiple of the tile's
    "soup": (*soup(1), (17, 33)),
    "degenerate": (*degenerate(), (16, 16)),
    "one pixel": (*soup(2), (1, 1)),
    "no faces": (soup(0)[0], torch.zeros(0, 3, dtype=torch.int64), (5, 7)),
    "out of sight": (soup(0)[0] + 500, soup(0)[1], (5, 7)),
}
