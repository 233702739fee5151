"""UV atlases: charts without overlap that cover every face once."""

from __future__ import annotations

import pytest
import torch

from renderer.scene import cube, icosphere, torus
from renderer.scene.atlas import with_atlas


@pytest.mark.parametrize("mesh", [cube(), icosphere(2), torus(segments=16, sides=8)], ids=["cube", "sphere", "torus"])
def test_charts_cover_every_face_without_overlap(mesh) -> None:
    made = with_atlas(mesh, resolution=256)
    assert torch.equal(made.faces, mesh.faces)
    assert made.is_watertight == mesh.is_watertight
    corners = made.uv[made.uv_faces].double()
    assert corners.min() >= 0
    assert corners.max() <= 1
    (a, b), (c, d) = (corners[:, 1] - corners[:, 0]).unbind(-1), (corners[:, 2] - corners[:, 0]).unbind(-1)
    areas = (a * d - b * c).abs() / 2
    assert areas.min() > 0
    # Sample points of the square lie in one chart at most.
    points = torch.rand(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p = points[:, None] - corners[None, :, 0]
    determinant = a * d - b * c
    s, t = (p[..., 0] * d - p[..., 1] * c) / determinant, (a * p[..., 1] - b * p[..., 0]) / determinant
    inside = (s > 1e-9) & (t > 1e-9) & (s + t < 1 - 1e-9)
    assert inside.sum(1).max() == 1
    assert float(inside.any(1).double().mean()) == pytest.approx(float(areas.sum()), abs=0.05)
    # A face is nearly as large in the atlas as on the surface, up to one factor.
    ratio = (areas / mesh.face_areas.double()).sqrt()
    assert ratio.max() / ratio.min() < 3


def test_errors() -> None:
    with pytest.raises(ValueError, match="resolution: expected at least 16 texels, got 8"):
        with_atlas(cube(), resolution=8)
    with pytest.raises(ValueError, match="mesh: expected one shape"):
        with_atlas(cube().with_vertices(cube().vertices.expand(2, -1, -1)))
