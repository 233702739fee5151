"""PyTorch3D is not installed here: its objects are stood in for by ones with the documented attributes."""

import math
import sys
import types

import pytest
import torch

from renderer.interop.pytorch3d import (
    cameras_from_pytorch3d,
    cameras_to_pytorch3d,
    meshes_from_pytorch3d,
    meshes_to_pytorch3d,
    renderer_from_pytorch3d,
    renderer_to_pytorch3d,
)
from renderer.scene.camera import Camera
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.scene.primitives import cube, grid, icosphere
from renderer.shading import SoftRenderer

SIZE = (48, 64)
R = torch.eye(3).repeat(2, 1, 1)
T = torch.tensor([[0.0, 0.0, 4.0], [0.5, -0.25, 3.0]])


class StandIn(types.SimpleNamespace):
    """A camera object of PyTorch3D."""

    K = None

    def in_ndc(self):
        return self.ndc

    def is_perspective(self):
        return self.perspective


def some_cameras(projection="perspective"):
    return Camera.orbit(3.0, 20.0, torch.tensor([0.0, 80.0, 200.0]), image_size=SIZE, projection=projection)


@pytest.fixture
def installed(monkeypatch):
    """A package ``pytorch3d`` whose classes only remember their arguments."""

    def make(perspective):
        def build(*, in_ndc, device, **arguments):
            return StandIn(ndc=in_ndc, perspective=perspective, device=device, **arguments)

        return build

    class Meshes:
        def __init__(self, verts, faces, textures=None):
            self.verts, self.faces, self.textures = verts, faces, textures

        def verts_list(self):
            return self.verts

        def faces_list(self):
            return self.faces

    package, renderer, structures = (types.ModuleType(f"pytorch3d{end}") for end in ("", ".renderer", ".structures"))
    renderer.PerspectiveCameras, renderer.OrthographicCameras = make(True), make(False)
    structures.Meshes = Meshes
    renderer.TexturesVertex = lambda verts_features: types.SimpleNamespace(verts_features_list=lambda: verts_features)
    renderer.TexturesUV = lambda maps, faces_uvs, verts_uvs: types.SimpleNamespace(
        maps_padded=lambda: maps, verts_uvs_list=lambda: verts_uvs, faces_uvs_list=lambda: faces_uvs
    )
    for module in (package, renderer, structures):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize("in_ndc", [True, False])
@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_camera_objects_round_trip(installed, projection, in_ndc):
    camera = some_cameras(projection)
    other = cameras_to_pytorch3d(camera, in_ndc=in_ndc)
    assert other.device == torch.device("cpu")
    back = cameras_from_pytorch3d(other, near=0.1)
    assert (back.image_size, back.projection, back.near) == (SIZE, projection, 0.1)
    torch.testing.assert_close(back.world_to_camera, camera.world_to_camera)
    torch.testing.assert_close(back.K, camera.K)


@pytest.mark.parametrize(
    "focal", [torch.tensor([2.0, 3.0]), torch.tensor([[2.0], [3.0]]), torch.tensor([[2.0, 2], [3, 3]])]
)
def test_focal_length_shapes(focal):
    """One number a camera, in a row or a column, or one for each axis; ``image_size`` can be given."""
    zeros = torch.zeros(2, 2)
    other = StandIn(R=R, T=T, focal_length=focal, principal_point=zeros, image_size=None, ndc=True, perspective=True)
    camera = cameras_from_pytorch3d(other, image_size=SIZE)
    assert camera.K[:, 0, 0].tolist() == camera.K[:, 1, 1].tolist() == [48.0, 72.0]


@pytest.mark.parametrize("degrees", [True, False])
def test_field_of_view_cameras(degrees):
    """The angle spans NDC -1 to 1, the shorter side of the image."""
    fov = torch.tensor([60.0, 90.0])
    other = StandIn(
        R=R,
        T=T,
        fov=fov if degrees else fov * math.pi / 180,
        degrees=degrees,
        aspect_ratio=torch.ones(2),
        perspective=True,
    )
    camera = cameras_from_pytorch3d(other, image_size=SIZE)
    torch.testing.assert_close(camera.K[:, 1, 1], 24 / torch.tan(torch.tensor([math.pi / 6, math.pi / 4])))
    torch.testing.assert_close(camera.K[:, 0, 0], camera.K[:, 1, 1])
    assert camera.K[:, 0, 2].tolist() == [32.0, 32.0]


def test_field_of_view_orthographic_cameras():
    """The box from min to max in x and y fills NDC -1 to 1, x left and y up."""
    box = {"min_x": -2.0, "max_x": 4.0, "min_y": -1.0, "max_y": 1.0}
    box = {name: torch.full((2,), value) for name, value in box.items()}
    other = StandIn(R=R, T=T, scale_xyz=torch.ones(2, 3), perspective=False, **box)
    camera = cameras_from_pytorch3d(other, image_size=(40, 40))
    corners = torch.tensor([[4.0, 1.0, 0.0], [-2.0, -1.0, 0.0]])
    assert camera[0].project(corners)[0].tolist() == [[0.0, 0.0, 4.0], [40.0, 40.0, 4.0]]


def test_camera_errors():
    other = StandIn(R=R, T=T, focal_length=1.0, principal_point=torch.zeros(2, 2), ndc=True, perspective=True)
    with pytest.raises(ValueError, match=r"image_size: expected \(height, width\), as the cameras have none"):
        cameras_from_pytorch3d(other)
    other.image_size = torch.tensor([[8, 8], [9, 8]])
    with pytest.raises(ValueError, match="cameras: expected one image size"):
        cameras_from_pytorch3d(other)
    other.K = torch.eye(4)
    with pytest.raises(
        ValueError, match="cameras: expected focal lengths or angles, got a camera defined by a matrix K"
    ):
        cameras_from_pytorch3d(other)


def test_meshes_round_trip(installed):
    batch = MeshBatch([cube(), icosphere(1)])
    back = meshes_from_pytorch3d(meshes_to_pytorch3d(batch))
    assert torch.equal(back.vertices, batch.vertices)
    assert torch.equal(back.faces, batch.faces)
    single = cube()
    assert len(meshes_from_pytorch3d(meshes_to_pytorch3d(single))) == 1
    stacked = meshes_to_pytorch3d(single.with_vertices(single.vertices.expand(3, -1, -1)))
    assert len(stacked.verts_list()) == len(stacked.faces_list()) == 3


def test_vertex_colours_round_trip(installed):
    mesh = cube().with_appearance(vertex_colours=torch.rand(8, 3), material=Material((0.5, 1.0, 0.25)))
    back = meshes_from_pytorch3d(meshes_to_pytorch3d(mesh))[0]
    torch.testing.assert_close(back.vertex_colours, mesh.vertex_colours * torch.tensor([0.5, 1.0, 0.25]))
    with pytest.raises(ValueError, match=r"^face_colours: expected none"):
        meshes_to_pytorch3d(cube().with_appearance(face_colours=torch.rand(12, 3)))


def test_textures_round_trip(installed):
    plane = grid(2, 3)
    uv = plane.vertices[:, :2] / 2 + 0.5
    mesh = plane.with_appearance(uv=uv, material=Material(0.5, texture=torch.rand(5, 7, 3)))
    back = meshes_from_pytorch3d(meshes_to_pytorch3d(mesh))[0]
    torch.testing.assert_close(back.uv, uv)
    torch.testing.assert_close(back.material.texture, 0.5 * mesh.material.texture)
    assert torch.equal(back.uv_faces, mesh.faces)


def test_settings_give_pytorch3ds_image():
    """One face and a background, against `softmax_rgb_blend` and the rasteriser's distances written out in NDC."""
    size, sigma, gamma = 24, 2e-3, 0.3
    settings = types.SimpleNamespace(image_size=size, blur_radius=0.02)
    blend = types.SimpleNamespace(sigma=sigma, gamma=gamma, background_color=(0.2, 0.4, 0.6))
    renderer = renderer_from_pytorch3d(settings, blend, znear=1.0, zfar=10.0)
    vertices = torch.tensor([[-0.7, -0.6, 4.0], [0.8, -0.4, 4.0], [0.1, 0.7, 4.0]], dtype=torch.float64)
    camera = Camera.orthographic(image_size=(size, size), near=1.0).to(torch.float64)
    mesh = Mesh(vertices, torch.tensor([[0, 1, 2]]), face_colours=torch.tensor([[1.0, 0.5, 0.0]], dtype=torch.float64))
    image = renderer(mesh, camera)[0]
    y, x = torch.meshgrid(*[(torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1] * 2, indexing="ij")
    p = torch.stack([x, y], -1)
    corners, squared = vertices[:, :2], torch.full((size, size), torch.inf, dtype=torch.float64)
    inside = torch.ones(size, size, dtype=torch.bool)
    for k in range(3):
        a, e = corners[k], corners[(k + 1) % 3] - corners[k]
        t = (((p - a) @ e) / (e @ e)).clamp(0, 1)
        squared = torch.minimum(squared, (p - a - t[..., None] * e).square().sum(-1))
        inside &= e[0] * (p - a)[..., 1] - e[1] * (p - a)[..., 0] > 0
    dists = torch.where(inside, -squared, squared)
    prob = torch.sigmoid(-dists / sigma) * (dists <= settings.blur_radius)
    z_inv = (10.0 - 4.0) / (10.0 - 1.0)
    weight, delta = prob * 1.0, torch.tensor((1e-10 - z_inv) / gamma, dtype=torch.float64).exp()
    colour = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
    rest = torch.tensor([0.2, 0.4, 0.6], dtype=torch.float64)
    rgb = (weight[..., None] * colour + delta * rest) / (weight + delta)[..., None]
    torch.testing.assert_close(image[..., :3], rgb, atol=1e-7, rtol=0)
    torch.testing.assert_close(image[..., 3], prob, atol=1e-9, rtol=0)

    back = renderer_to_pytorch3d(renderer, (size, size))
    assert back.sigma == pytest.approx(sigma)
    assert back.blur_radius == pytest.approx(settings.blur_radius)
    assert (back.gamma, back.background_color) == (gamma, pytest.approx(blend.background_color))


def test_settings_that_have_no_equal():
    with pytest.raises(ValueError, match=r"^raster_settings: expected a positive blur_radius"):
        renderer_from_pytorch3d(types.SimpleNamespace(image_size=8, blur_radius=0.0))
    with pytest.raises(ValueError, match=r"^renderer: expected logistic squared, probabilistic, face, got uniform, "):
        renderer_to_pytorch3d(SoftRenderer("uniform", scale=1.0), (8, 8))
