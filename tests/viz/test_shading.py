from __future__ import annotations

import pytest
import torch

from renderer.scene import Mesh, cube, icosphere
from renderer.viz.shading import split_creases


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_smooth_mesh_is_not_split(dtype):
    mesh = icosphere(3).to(dtype)
    shaded = split_creases(mesh)
    assert len(shaded.vertices) == mesh.num_vertices
    assert shaded.vertices.dtype == shaded.normals.dtype == dtype
    assert torch.allclose(shaded.vertices[shaded.faces], mesh.vertices[mesh.faces])
    outward = shaded.vertices / shaded.vertices.norm(dim=1, keepdim=True)
    assert ((shaded.normals * outward).sum(1) > 0.999).all()


def test_a_cube_is_split_at_every_edge():
    mesh = cube()
    shaded = split_creases(mesh)
    assert len(shaded.vertices) == 24
    assert torch.allclose(shaded.vertices[shaded.faces], mesh.vertices[mesh.faces])
    for corner in range(3):
        assert torch.allclose(shaded.normals[shaded.faces[:, corner]], mesh.face_normals, atol=1e-6)


def test_the_crease_angle_decides():
    assert len(split_creases(cube(), crease=100.0).vertices) == 8
    assert len(split_creases(icosphere(0), crease=1.0).vertices) == 60


def test_degenerate_faces_and_edges_with_three_faces():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0], [9, 9, 9]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [1, 0, 2], [0, 1, 4], [0, 0, 1]])
    shaded = split_creases(Mesh(vertices, faces))
    assert shaded.faces.shape == faces.shape
    assert torch.allclose(shaded.vertices[shaded.faces], vertices[faces])
    assert torch.allclose(shaded.normals.norm(dim=1), torch.ones(len(shaded.normals)))


def test_one_mesh_at_a_time():
    with pytest.raises(ValueError, match="mesh: expected one mesh"):
        split_creases(Mesh(cube().vertices[None], cube().faces))
