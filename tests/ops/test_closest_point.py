"""The closest point of a triangle in float32, where an edge and its end are all but equally far from the pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.cuda.compare import check_float32
from tests.cuda.scenes import parameters
from tests.ops.test_soft_render import no_textures


def triangles(count: int = 3000) -> Tensor:
    """Views (count, 3, 3) of one pixel at (0.5, 0.5), whose foot on edge 0 lies within 2e-3 of its first end."""
    generator = torch.Generator().manual_seed(0)
    angle, length, apart, shift, spread, along = torch.rand(6, count, 1, generator=generator, dtype=torch.float64)
    direction = torch.cat([torch.cos(7 * angle), torch.sin(7 * angle)], 1)
    normal = torch.stack([-direction[:, 1], direction[:, 0]], 1)
    a = 0.5 + (1 + 2 * apart) * normal + 4e-3 * (shift - 0.5) * direction
    b = a + (0.3 + length) * direction
    c = a + (1.5 * along - 0.25) * direction + (0.2 + spread) * normal
    depth = 1 + torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return torch.cat([torch.stack([a, b, c], 1), depth[:, :, None]], -1)


FACES = torch.tensor([[0, 1, 2]])
SETTINGS = (1, 1, "logistic", False, 1e-6)


def test_coverage() -> None:
    check_float32("face_coverage", (triangles(), FACES, parameters("logistic"), *SETTINGS, "probabilistic"), 1e-5)


def test_colour() -> None:
    vertices = triangles()
    colours = torch.eye(3, dtype=torch.float64).expand(len(vertices), -1, -1).contiguous()
    tensors = (vertices, FACES, colours, FACES, parameters("logistic", 0.2), *no_textures(vertices))
    check_float32("depth_softmax", (*tensors, *SETTINGS, 1e-3, 0.5, 4.0, True, []), 1e-5)
