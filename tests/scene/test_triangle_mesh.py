import math

import pytest
import torch

from renderer.scene.errors import DataError
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.scene.primitives import cube, grid, icosphere, torus

TRIANGLE = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
FACE = torch.tensor([[0, 1, 2]])


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (TRIANGLE.tolist(), FACE, "vertices: expected a floating point Tensor, got list"),
        (TRIANGLE.long(), FACE, "vertices: expected a floating point Tensor, got Tensor of torch.int64"),
        (TRIANGLE[:, :2], FACE, r"vertices: expected shape \(..., V, 3\), got \(3, 2\)"),
        (TRIANGLE, FACE.float(), "faces: expected an integer Tensor, got Tensor of torch.float32"),
        (TRIANGLE, FACE[0], r"faces: expected shape \(F, 3\), got \(3,\)"),
        (TRIANGLE, FACE[:0], "faces: expected at least one face, got none"),
        (TRIANGLE, FACE + 1, "faces: expected indices from 0 to 2, got 3"),
        (TRIANGLE, FACE - 1, "faces: expected indices from 0 to 2, got -1"),
        (TRIANGLE.log(), FACE, "vertices: expected finite numbers, 3 of 3 are not"),
    ],
)
def test_bad_input_is_one_line(vertices, faces, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        Mesh(vertices, faces)


def test_faces_become_int64():
    assert Mesh(TRIANGLE, FACE.to(torch.int32)).faces.dtype == torch.int64


def test_closed_forms():
    mesh = Mesh(TRIANGLE, FACE)
    assert mesh.face_areas.tolist() == [6.0]
    assert mesh.face_normals.tolist() == [[0.0, 0.0, 1.0]]
    assert mesh.bounds.tolist() == [[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]
    box = cube(size=2.0, dtype=torch.float64)
    assert float(box.volume) == pytest.approx(8.0, abs=1e-14)
    assert float(box.face_areas.sum()) == pytest.approx(24.0, abs=1e-14)
    ball = icosphere(4, radius=2.0, dtype=torch.float64)
    assert float(ball.volume) == pytest.approx(4 / 3 * math.pi * 8, rel=3e-3)
    torch.testing.assert_close(ball.vertex_normals, ball.vertices / 2, atol=3e-3, rtol=0)


def test_volume_does_not_depend_on_the_origin():
    box = cube()
    assert float(box.with_vertices(box.vertices + 1e3).volume) == pytest.approx(8.0, rel=1e-4)


def test_batch_dimensions():
    single = cube(dtype=torch.float64)
    scales = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    batch = single.with_vertices(single.vertices * scales[:, None, None])
    torch.testing.assert_close(batch.volume, 8 * scales**3)
    torch.testing.assert_close(batch.face_areas, single.face_areas * scales[:, None] ** 2)
    torch.testing.assert_close(batch.face_normals, single.face_normals.expand(3, -1, -1))
    torch.testing.assert_close(batch.vertex_normals, single.vertex_normals.expand(3, -1, -1))
    assert batch.bounds.shape == (3, 2, 3)


@pytest.mark.parametrize("name", ["face_areas", "face_normals", "vertex_normals", "volume", "bounds"])
def test_gradcheck(name):
    mesh = icosphere(0, dtype=torch.float64)
    noise = torch.rand(mesh.vertices.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    vertices = (mesh.vertices + 0.1 * noise).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: getattr(mesh.with_vertices(v), name), vertices)


def test_degenerate_faces_have_no_area_and_finite_gradients():
    vertices = torch.zeros(3, 3, requires_grad=True)
    mesh = Mesh(vertices, FACE)
    total = mesh.face_areas.sum() + mesh.face_normals.sum() + mesh.vertex_normals.sum()
    total.backward()
    assert float(total.detach()) == 0
    assert torch.equal(vertices.grad, torch.zeros(3, 3))


def test_edges_and_their_faces():
    mesh = Mesh(torch.rand(4, 3), torch.tensor([[0, 1, 2], [2, 1, 3]]))
    assert mesh.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert mesh.edge_faces.tolist() == [[0, -1], [0, -1], [0, 1], [1, -1], [1, -1]]
    assert mesh.is_oriented
    assert not mesh.is_watertight
    assert not Mesh(mesh.vertices, torch.tensor([[0, 1, 2], [1, 2, 3]])).is_oriented


def test_edge_faces_against_a_search():
    mesh = icosphere(1)
    corners = [set(face) for face in mesh.faces.tolist()]
    for edge, faces in zip(mesh.edges.tolist(), mesh.edge_faces.tolist(), strict=True):
        assert [i for i, face in enumerate(corners) if set(edge) <= face] == faces
    assert len(mesh.edges) == 3 * mesh.num_faces // 2


def test_an_edge_with_three_faces():
    mesh = Mesh(torch.rand(5, 3), torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    assert not mesh.is_watertight
    with pytest.raises(ValueError, match=r"edge_faces: expected at most 2 faces at an edge, edge \(0, 1\) has 3"):
        _ = mesh.edge_faces


def test_faces_that_repeat_a_vertex_take_no_part():
    ball = icosphere(1)
    mesh = Mesh(ball.vertices, torch.cat([torch.tensor([[0, 0, 1], [5, 5, 5]]), ball.faces]))
    assert torch.equal(mesh.edges, ball.edges)
    assert torch.equal(mesh.edge_faces, ball.edge_faces + 2)
    assert (mesh.is_watertight, mesh.genus, mesh.num_components) == (True, 0, 1)
    nothing = Mesh(TRIANGLE, torch.tensor([[0, 0, 1]]))
    assert (nothing.is_watertight, nothing.num_components, nothing.edge_faces.shape) == (False, 0, (0, 2))


def _union(*meshes):
    """One mesh of several, not joined."""
    packed = MeshBatch(meshes)
    return Mesh(packed.vertices, packed.faces)


def test_genus_and_components():
    assert (icosphere(2).genus, icosphere(2).num_components) == (0, 1)
    assert (torus().genus, torus().num_components) == (1, 1)
    both = _union(torus(), icosphere(1), torus(segments=5, sides=4))
    assert (both.genus, both.num_components) == (2, 3)
    unused = Mesh(torch.cat([torus().vertices, torch.zeros(7, 3)]), torus().faces)
    assert unused.genus == 1


def test_genus_of_two_spheres_that_touch_in_a_vertex():
    pair = _union(icosphere(1), icosphere(1))
    faces = pair.faces.clone()
    faces[faces == 42] = 0
    mesh = Mesh(pair.vertices, faces)
    assert (mesh.is_watertight, mesh.genus, mesh.num_components) == (True, 0, 2)


def test_genus_does_not_depend_on_the_winding():
    mesh = torus()
    faces = mesh.faces.clone()
    faces[::3] = faces[::3].flip(1)
    turned = Mesh(mesh.vertices, faces)
    assert (turned.is_oriented, turned.genus) == (False, 1)


@pytest.mark.parametrize("name", ["genus", "volume"])
def test_open_meshes_enclose_nothing(name):
    with pytest.raises(ValueError, match=f"^{name}: expected a watertight mesh"):
        getattr(grid(), name)


def test_copies_share_the_topology():
    mesh = icosphere(2)
    moved = mesh.with_vertices(mesh.vertices * 2)
    assert moved.edges is mesh.edges
    assert mesh.detach().edges is mesh.edges
    double = mesh.to(torch.float64)
    assert double.vertices.dtype == torch.float64
    assert double.edges is mesh.edges
    with pytest.raises(DataError, match="vertices: expected 162 vertices, got 3"):
        mesh.with_vertices(TRIANGLE)
    with pytest.raises(DataError, match="dtype: expected a floating point dtype"):
        mesh.to(torch.int64)


def test_gradient_through_with_vertices_and_detach():
    offset = torch.zeros(3, requires_grad=True)
    mesh = cube()
    mesh.with_vertices(mesh.vertices + offset).vertices.sum().backward()
    assert offset.grad.tolist() == [8.0, 8.0, 8.0]
    assert not mesh.with_vertices(mesh.vertices + offset).detach().vertices.requires_grad


def test_with_vertices_under_vmap_and_grad():
    mesh = cube(dtype=torch.float64)
    scale = torch.tensor([1.0, 2.0], dtype=torch.float64)

    def volume(s):
        return mesh.with_vertices(mesh.vertices * s).volume

    torch.testing.assert_close(torch.func.vmap(torch.func.grad(volume))(scale), 24 * scale**2)


def test_trimesh_round_trip():
    mesh = icosphere(1, dtype=torch.float64)
    back = Mesh.from_trimesh(mesh.to_trimesh(), dtype=torch.float64)
    assert torch.equal(back.vertices, mesh.vertices)
    assert torch.equal(back.faces, mesh.faces)
    with pytest.raises(ValueError, match=r"vertices: expected one mesh, shape \(V, 3\)"):
        mesh.with_vertices(mesh.vertices.expand(2, -1, -1)).to_trimesh()


def test_mesh_batch():
    meshes = [cube(), icosphere(1), grid()]
    batch = MeshBatch(meshes)
    assert len(batch) == 3
    assert batch[1] is meshes[1]
    assert list(batch) == meshes
    assert batch.vertices.shape == (8 + 42 + 4, 3)
    assert batch.faces.shape == (12 + 80 + 2, 3)
    assert batch.vertex_mesh.bincount().tolist() == [8, 42, 4]
    assert batch.face_mesh.bincount().tolist() == [12, 80, 2]
    for i, mesh in enumerate(meshes):
        corners = batch.vertices[batch.faces[batch.face_mesh == i]]
        assert torch.equal(corners, mesh.face_vertices)
        assert bool((batch.vertex_mesh[batch.faces[batch.face_mesh == i]] == i).all())


def test_mesh_batch_copies():
    batch = MeshBatch([cube(), icosphere(1)])
    assert batch.to(torch.float64).vertices.dtype == torch.float64
    vertices = (batch.vertices * 2).requires_grad_()
    moved = batch.with_vertices(vertices)
    assert torch.equal(moved.vertices, vertices)
    moved[0].volume.backward()
    assert not vertices.grad[8:].any()
    assert vertices.grad[:8].any()


def test_mesh_batch_errors():
    with pytest.raises(DataError, match="meshes: expected at least one mesh"):
        MeshBatch([])
    with pytest.raises(
        DataError, match=r"meshes\[1\]: expected torch.float32 on cpu as meshes\[0\], got torch.float64"
    ):
        MeshBatch([cube(), cube(dtype=torch.float64)])
    stacked = cube().with_vertices(cube().vertices.expand(2, -1, -1))
    with pytest.raises(DataError, match=r"meshes\[0\]: expected vertices \(V, 3\), got \(2, 8, 3\)"):
        MeshBatch([stacked])
    with pytest.raises(DataError, match=r"vertices: expected shape \(8, 3\)"):
        MeshBatch([cube()]).with_vertices(torch.zeros(7, 3))
