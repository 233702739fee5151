import math

import pytest
import torch

from renderer.scene.primitives import cube, cylinder, grid, icosphere, torus

CLOSED = {
    "icosphere": (lambda dtype: icosphere(4, radius=0.5, dtype=dtype), 4 / 3 * math.pi / 8, 0, 2562, 5120),
    "cube": (lambda dtype: cube(size=3.0, dtype=dtype), 27.0, 0, 8, 12),
    "torus": (
        lambda dtype: torus(radius=2.0, tube=0.5, segments=200, sides=100, dtype=dtype),
        2 * math.pi**2 * 2.0 * 0.25,
        1,
        20000,
        40000,
    ),
    "cylinder": (
        lambda dtype: cylinder(radius=0.5, height=3.0, segments=200, dtype=dtype),
        math.pi * 0.25 * 3,
        0,
        402,
        800,
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CLOSED)
def test_closed_primitives(name, dtype):
    make, volume, genus, vertices, faces = CLOSED[name]
    mesh = make(dtype)
    assert mesh.vertices.dtype == dtype
    assert (mesh.num_vertices, mesh.num_faces) == (vertices, faces)
    assert mesh.is_watertight
    assert mesh.is_oriented
    assert (mesh.genus, mesh.num_components) == (genus, 1)
    assert float(mesh.volume) == pytest.approx(volume, rel=5e-3)
    assert float(mesh.face_areas.min()) > 0


def test_icosphere_is_on_the_sphere():
    mesh = icosphere(3, radius=2.0, dtype=torch.float64)
    assert mesh.num_vertices == 642
    torch.testing.assert_close(mesh.vertices.norm(dim=1), torch.full((642,), 2.0, dtype=torch.float64))
    assert float(mesh.face_areas.max() / mesh.face_areas.min()) < 2


def test_grid_looks_towards_z():
    mesh = grid(3, 5, size=4.0)
    assert (mesh.num_vertices, mesh.num_faces, mesh.num_components) == (24, 30, 1)
    assert torch.equal(mesh.face_normals, torch.tensor([0.0, 0.0, 1.0]).expand(30, 3))
    assert float(mesh.face_areas.sum()) == pytest.approx(16.0)
    assert int((mesh.edge_faces[:, 1] < 0).sum()) == 2 * (3 + 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: icosphere(-1), "level: expected a whole number >= 0, got -1"),
        (lambda: icosphere(radius=0.0), "radius: expected a positive length, got 0.0"),
        (lambda: cube(size=math.nan), "size: expected a positive length, got nan"),
        (lambda: torus(sides=2), "sides: expected a whole number >= 3, got 2"),
        (lambda: cylinder(height=-1.0), "height: expected a positive length, got -1.0"),
        (lambda: grid(0, 1), "rows: expected a whole number >= 1, got 0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
