import itertools

import pytest
import torch

from renderer.raster.clip import BEHIND, clip_near
from renderer.raster.project import project_mesh
from renderer.scene.camera import Camera
from renderer.scene.primitives import cube, icosphere

NEAR = 0.5
FACE = torch.tensor([[0, 1, 2]])


def triangle(*depths, dtype=torch.float64):
    corners = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]
    return torch.tensor([[*corner, depth] for corner, depth in zip(corners, depths, strict=True)], dtype=dtype)


def alive(vertices, faces, view=0):
    """The faces that a raster op does not skip."""
    return faces[(vertices[view, faces, 2] > 0).all(1)]


def area_vectors(vertices, faces, view=0):
    """Half the cross product of each face that is not skipped."""
    a, b, c = vertices[view][alive(vertices, faces, view)].unbind(1)
    return torch.linalg.cross(b - a, c - a) / 2


def clip_polygon(corners, near):
    """Sutherland and Hodgman, one polygon against z >= near, as a list of points."""
    kept = []
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        if a[2] >= near:
            kept.append(a)
        if (a[2] >= near) != (b[2] >= near):
            t = (near - a[2]) / (b[2] - a[2])
            kept.append([x + t * (y - x) for x, y in zip(a, b, strict=True)])
    return kept


def test_nothing_to_clip_returns_the_arguments():
    vertices = triangle(1.0, 2.0, NEAR)[None]
    clipped, faces = clip_near(vertices, FACE, NEAR)
    assert clipped is vertices
    assert faces is FACE


def test_everything_behind():
    clipped, faces = clip_near(triangle(0.1, -1.0, 0.4)[None], FACE, NEAR)
    assert clipped[..., 2].tolist() == [[BEHIND] * 3]
    assert faces.shape == (0, 3)


@pytest.mark.parametrize("depths", list(itertools.product((-1.0, 0.2, 1.0, 3.0), repeat=3)))
def test_area_and_winding_against_polygon_clipping(depths):
    """The pieces of every pattern cover what Sutherland-Hodgman leaves, look the same way and start at the plane."""
    corners = triangle(*depths)
    clipped, faces = clip_near(corners[None], FACE, NEAR)
    polygon = torch.tensor(clip_polygon(corners.tolist(), NEAR), dtype=torch.float64).reshape(-1, 3)
    expected = torch.zeros(3, dtype=torch.float64)
    for i in range(1, len(polygon) - 1):
        expected += torch.linalg.cross(polygon[i] - polygon[0], polygon[i + 1] - polygon[0]) / 2
    areas = area_vectors(clipped, faces)
    torch.testing.assert_close(areas.sum(0), expected, atol=1e-12, rtol=0)
    assert bool((areas @ expected >= 0).all())
    assert float(areas.norm(dim=1).sum()) == pytest.approx(float(expected.norm()), abs=1e-12)
    assert len(areas) == max(len(polygon) - 2, 0)
    points = clipped[0, alive(clipped, faces).unique()]
    assert bool((points[:, 2] >= NEAR).all())


@pytest.mark.parametrize("pair", list(itertools.product(range(8), repeat=2)))
def test_views_that_cut_one_face_differently_share_the_list(pair):
    """In each view the shared list leaves exactly what clipping that view alone leaves."""
    views = torch.stack([triangle(*[2.0 if code >> i & 1 else -0.3 - i for i in range(3)]) for code in pair])
    clipped, faces = clip_near(views, FACE, NEAR)
    for view in range(2):
        alone, own = clip_near(views[view : view + 1], FACE, NEAR)
        assert len(alive(clipped, faces, view)) == len(alive(alone, own))
        together, single = area_vectors(clipped, faces, view), area_vectors(alone, own)
        torch.testing.assert_close(together.sum(0), single.sum(0))
        torch.testing.assert_close(together.norm(dim=1).sum(), single.norm(dim=1).sum())


def test_cut_surfaces_stay_closed_where_they_were():
    """Neighbours meet in the same vertex: each edge in front of the plane has two faces, in opposite directions."""
    mesh = icosphere(3, dtype=torch.float64)
    clipped, faces = clip_near(mesh.vertices[None] + 0.1, mesh.faces, NEAR)
    left = alive(clipped, faces)
    assert 0 < len(left) < len(mesh.faces)
    directed = torch.cat([left[:, [0, 1]], left[:, [1, 2]], left[:, [2, 0]]])
    assert directed.unique(dim=0).shape == directed.shape
    present = {tuple(edge) for edge in directed.tolist()}
    open_edges = [edge for edge in present if edge[::-1] not in present]
    assert open_edges
    on_plane = clipped[0, torch.tensor(open_edges), 2]
    assert torch.equal(on_plane, torch.full_like(on_plane, NEAR))
    # One new vertex for each edge that crosses the plane.
    ends = mesh.vertices[mesh.edges][..., 2] + 0.1 >= NEAR
    assert clipped.shape[1] - mesh.num_vertices == int((ends[:, 0] != ends[:, 1]).sum())


def test_original_vertices_come_first():
    mesh = cube(dtype=torch.float64)
    clipped, _ = clip_near(mesh.vertices[None], mesh.faces, NEAR)
    assert torch.equal(clipped[0, :8, :2], mesh.vertices[:, :2])
    assert clipped[0, :8, 2].tolist() == [BEHIND, 1.0] * 4


@pytest.mark.parametrize("depths", [(1.0, 0.1, -2.0), (1.0, 3.0, -0.5), (-1.0, 2.0, 2.0)])
def test_gradcheck(depths):
    vertices = torch.stack([triangle(*depths), triangle(*depths[::-1])]).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: clip_near(v, FACE, NEAR)[0], vertices)
    assert torch.autograd.gradgradcheck(lambda v: clip_near(v, FACE, NEAR)[0], vertices)


def test_gradient_of_the_visible_area():
    """The projected area of the clipped triangle against finite differences, by polygon clipping."""
    corners = triangle(1.0, 2.0, -1.0)

    def area(vertices):
        clipped, faces = clip_near(vertices[None], FACE, NEAR)
        a, b, c = (clipped[0][alive(clipped, faces)][..., :2] / clipped[0][alive(clipped, faces)][..., 2:]).unbind(1)
        u, w = b - a, c - a
        return (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]).sum() / 2

    def reference(vertices):
        polygon = [(x / z, y / z) for x, y, z in clip_polygon(vertices.tolist(), NEAR)]
        pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
        return sum(a[0] * b[1] - a[1] * b[0] for a, b in pairs) / 2

    assert float(area(corners)) == pytest.approx(reference(corners), abs=1e-12)
    (gradient,) = torch.autograd.grad(area(corners.requires_grad_()), corners)
    step = 1e-6
    for index in itertools.product(range(3), repeat=2):
        moved = [corners.detach().clone() for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        difference = (reference(moved[0]) - reference(moved[1])) / (2 * step)
        assert float(gradient[index]) == pytest.approx(difference, abs=1e-6)


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_project_mesh_inside_the_object(projection):
    """From inside a sphere the pixels are finite, and what is behind is marked."""
    mesh = icosphere(2)
    eyes = torch.tensor([[0.0, 0.0, 0.2], [0.0, 0.0, 5.0]])
    camera = Camera.look_at(eyes, (0.0, 0.0, -1.0), image_size=(32, 32), near=0.1, projection=projection)
    vertices = mesh.vertices.clone().requires_grad_()
    screen, faces = project_mesh(mesh.with_vertices(vertices), camera)
    assert screen.shape[0] == 2
    assert torch.isfinite(screen).all()
    assert len(alive(screen, faces, 0)) < mesh.num_faces
    assert len(alive(screen, faces, 1)) == mesh.num_faces
    assert torch.equal(alive(screen, faces, 1), mesh.faces)
    torch.testing.assert_close(screen[1, : mesh.num_vertices], camera.project(mesh.vertices)[1])
    screen.sum().backward()
    assert torch.isfinite(vertices.grad).all()


def test_project_mesh_without_clipping():
    mesh = cube()
    camera = Camera.look_at((0.0, 0.0, 5.0), image_size=(32, 32))
    screen, faces = project_mesh(mesh, camera)
    assert faces is mesh.faces
    assert torch.equal(screen, camera.project(mesh.vertices))
    stacked = mesh.with_vertices(mesh.vertices.expand(3, -1, -1))
    assert project_mesh(stacked, camera)[0].shape == (3, 8, 3)


def test_project_mesh_gradcheck():
    mesh = cube(dtype=torch.float64)
    camera = Camera.look_at(torch.tensor([0.3, 0.2, 0.9]).double(), image_size=(8, 8), near=0.2)
    pose, K = camera.world_to_camera.clone().requires_grad_(), camera.K.clone().requires_grad_()
    vertices = mesh.vertices.clone().requires_grad_()

    def project(v, pose, K):
        return project_mesh(mesh.with_vertices(v), camera.with_world_to_camera(pose).with_intrinsics(K))[0]

    assert torch.autograd.gradcheck(project, (vertices, pose, K))


def test_errors():
    with pytest.raises(ValueError, match=r"camera_vertices: expected shape \(B, V, 3\), got \(3, 3\)"):
        clip_near(triangle(1, 1, 1), FACE, NEAR)
    with pytest.raises(ValueError, match=r"faces: expected shape \(F, 3\), got \(3,\)"):
        clip_near(triangle(1, 1, 1)[None], FACE[0], NEAR)
    with pytest.raises(ValueError, match=r"near: expected a positive distance, got 0\.0"):
        clip_near(triangle(1, 1, 1)[None], FACE, 0.0)
    mesh = cube()
    camera = Camera.orbit(5.0, 0.0, torch.tensor([0.0, 90.0]), image_size=(8, 8))
    with pytest.raises(
        ValueError, match=r"camera: expected torch\.float32 on cpu as the mesh, got torch\.float64 on cpu"
    ):
        project_mesh(mesh, camera.to(torch.float64))
    with pytest.raises(ValueError, match="mesh, camera: expected one batch size, got 3 and 2"):
        project_mesh(mesh.with_vertices(mesh.vertices.expand(3, -1, -1)), camera)
    with pytest.raises(ValueError, match=r"camera: expected at most one batch dimension, got \(2, 2\)"):
        project_mesh(mesh, Camera.stack([camera, camera]))
