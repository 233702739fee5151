"""Every camera convention: a round trip, and the same pixels as the other system's own formulas."""

import math

import pytest
import torch

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError

DOUBLE = {"dtype": torch.float64}
PROJECTIONS = ("perspective", "orthographic")
SIZES = ((48, 64), (64, 48), (32, 32))
POINTS = 0.5 * torch.randn(20, 3, **DOUBLE, generator=torch.Generator().manual_seed(0))


def some_cameras(image_size, projection="perspective"):
    """Three cameras with different, off-centre intrinsics, float64."""
    turn = torch.tensor([10.0, 130.0, 250.0], **DOUBLE)
    camera = Camera.orbit(3.0, turn / 8 - 20, turn, image_size=image_size, projection=projection, near=0.25)
    K = camera.K.clone()
    K[:, 0, 0] *= 1 + turn / 1000
    K[:, :2, 2] += torch.stack([turn / 50, -turn / 70], dim=1)
    return camera.with_intrinsics(K)


def assert_same(a, b):
    assert (a.image_size, a.projection) == (b.image_size, b.projection)
    torch.testing.assert_close(a.world_to_camera, b.world_to_camera, atol=1e-12, rtol=0)
    torch.testing.assert_close(a.K, b.K, atol=1e-9, rtol=0)


def homogeneous(points):
    return torch.cat([points, torch.ones_like(points[:, :1])], dim=1)


# -- OpenGL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_opengl(size, projection):
    camera = some_cameras(size, projection)
    K = camera.K.clone()
    K[:, 0, 1] = 3.0  # OpenGL can hold skew
    camera = camera.with_intrinsics(K)
    view, matrix = camera.to_opengl(far=50.0)
    back = Camera.from_opengl(view, matrix, image_size=size)
    assert_same(back, camera)
    assert back.near == pytest.approx(0.25, rel=1e-9)

    clip = homogeneous(POINTS) @ (matrix @ view).transpose(1, 2)
    ndc = clip[..., :3] / clip[..., 3:]
    height, width = size
    window = torch.stack([(ndc[..., 0] + 1) / 2 * width, (1 - ndc[..., 1]) / 2 * height], dim=-1)
    torch.testing.assert_close(window, camera.project(POINTS)[..., :2])
    ends = torch.tensor([[0.0, 0.0, 0.25], [0.0, 0.0, 50.0]], **DOUBLE)
    depth = homogeneous(ends * torch.tensor([1.0, 1.0, -1.0], **DOUBLE)) @ matrix[0].T
    torch.testing.assert_close(depth[:, 2] / depth[:, 3], torch.tensor([-1.0, 1.0], **DOUBLE))


def test_opengl_is_glu_perspective():
    fov, aspect, near, far = 50.0, 4 / 3, 0.1, 10.0
    f = 1 / math.tan(math.radians(fov) / 2)
    matrix = torch.tensor(
        [
            [f / aspect, 0, 0, 0],
            [0, f, 0, 0],
            [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)],
            [0, 0, -1, 0],
        ],
        **DOUBLE,
    )
    view = torch.eye(4, **DOUBLE)
    camera = Camera.from_opengl(view, matrix, image_size=(48, 64))
    expected = Camera.perspective(image_size=(48, 64), fov_y=torch.tensor(fov, **DOUBLE), near=near)
    torch.testing.assert_close(camera.K, expected.K)
    assert camera.near == pytest.approx(near)
    # In OpenGL the camera looks along -z with y up.
    x, y, depth = camera.project(torch.tensor([[0.1, 0.2, -1.0]], **DOUBLE))[0, 0].tolist()
    assert x > 32
    assert y < 24
    assert depth == pytest.approx(1.0)


def test_opengl_errors():
    camera = some_cameras((8, 8))
    view, matrix = camera.to_opengl()
    with pytest.raises(ValueError, match="projection: expected the last row 0 0 -1 0 or 0 0 0 1"):
        Camera.from_opengl(view, matrix * 2, image_size=(8, 8))
    matrix = matrix.clone()
    matrix[0, 2, 3] *= 2
    with pytest.raises(ValueError, match="projection: expected one near distance"):
        Camera.from_opengl(view, matrix, image_size=(8, 8))
    with pytest.raises(ValueError, match=r"far: expected more than near = 0.25, got 0.1"):
        camera.to_opengl(far=0.1)


# -- PyTorch3D -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_ndc", [True, False])
@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_pytorch3d(size, projection, in_ndc):
    camera = some_cameras(size, projection)
    other = camera.to_pytorch3d(in_ndc=in_ndc)
    arguments = {name: value for name, value in other._asdict().items() if name != "image_size"}
    assert_same(Camera.from_pytorch3d(**arguments, image_size=size, projection=projection), camera)
    assert other.image_size.tolist() == [list(size)] * 3

    # The documented pipeline: row vectors, +x left and +y up in view space; NDC run over ±1 on the shorter side and
    # ±(longer / shorter) on the other, +x left and +y up; the screen has (0, 0) at the top left corner.
    seen = POINTS @ other.R + other.T[:, None]
    xy = seen[..., :2] / seen[..., 2:] if projection == "perspective" else seen[..., :2]
    height, width = size
    if in_ndc:
        ndc = other.focal_length[:, None] * xy + other.principal_point[:, None]
        left, top = max(width / height, 1.0), max(height / width, 1.0)
        screen = torch.stack([(left - ndc[..., 0]) / (2 * left) * width, (top - ndc[..., 1]) / (2 * top) * height], -1)
    else:
        screen = other.principal_point[:, None] - other.focal_length[:, None] * xy
    pixels = camera.project(POINTS)
    torch.testing.assert_close(screen, pixels[..., :2])
    torch.testing.assert_close(seen[..., 2], pixels[..., 2])


def test_pytorch3d_axes():
    """A camera with R = 1, T = (0, 0, 2) sees +x on the left and +y on top."""
    R, T = torch.eye(3)[None], torch.tensor([[0.0, 0.0, 2.0]])
    ones, zeros = torch.ones(1, 2), torch.zeros(1, 2)
    camera = Camera.from_pytorch3d(R, T, ones, zeros, image_size=(100, 200))
    assert camera.project(torch.tensor([[1.0, 1.0, 0.0]])).tolist() == [[[75.0, 25.0, 2.0]]]
    assert camera.centre.tolist() == [[0.0, 0.0, -2.0]]


def test_pytorch3d_single_camera_and_skew():
    camera = some_cameras((8, 8))
    assert camera[0].to_pytorch3d().R.shape == (1, 3, 3)
    K = camera.K.clone()
    K[0, 0, 1] = 1.0
    with pytest.raises(ValueError, match="K: expected no skew"):
        camera.with_intrinsics(K).to_pytorch3d()


# -- Blender's transforms.json ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_blender(size):
    camera = some_cameras(size)
    data = camera.to_blender_transforms(["a", "b", "c"])
    assert [frame["file_path"] for frame in data["frames"]] == ["a", "b", "c"]
    assert_same(Camera.from_blender_transforms(data, dtype=torch.float64), camera)


def test_blender_shared_intrinsics():
    camera = Camera.orbit(3.0, 20.0, torch.tensor([0.0, 90.0], **DOUBLE), image_size=(48, 64))
    data = camera.to_blender_transforms()
    assert {"camera_angle_x", "fl_x", "fl_y", "cx", "cy", "w", "h"} <= set(data)
    assert set(data["frames"][1]) == {"file_path", "transform_matrix"}
    assert_same(Camera.from_blender_transforms(data, dtype=torch.float64), camera)
    # As NeRF's synthetic scenes have it: an angle and nothing else.
    bare = {key: data[key] for key in ("camera_angle_x", "frames")}
    assert_same(Camera.from_blender_transforms(bare, image_size=(48, 64), dtype=torch.float64), camera)


def test_blender_axes():
    """The identity looks along -z with y up; a translation moves the camera, not the world."""
    pose = torch.eye(4)
    pose[2, 3] = 5.0
    data = {"camera_angle_x": math.pi / 2, "frames": [{"file_path": "0", "transform_matrix": pose.tolist()}]}
    camera = Camera.from_blender_transforms(data, image_size=(100, 100))
    assert camera.centre.tolist() == [[0.0, 0.0, 5.0]]
    torch.testing.assert_close(camera.project(torch.tensor([[1.0, 2.0, 0.0]])), torch.tensor([[[60.0, 30.0, 5.0]]]))


def test_blender_errors():
    camera = some_cameras((8, 8))
    with pytest.raises(ValueError, match="names: expected 3, one a camera, got 1"):
        camera.to_blender_transforms(["a"])
    with pytest.raises(ValueError, match="camera: expected perspective cameras without skew"):
        some_cameras((8, 8), "orthographic").to_blender_transforms()
    data = camera.to_blender_transforms()
    with pytest.raises(DataError, match="expected images of 8×8 as w and h say, got 9×8"):
        Camera.from_blender_transforms(data, image_size=(8, 9))


# -- COLMAP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_colmap(size):
    camera = some_cameras(size)
    quaternion, translation, params, model = camera.to_colmap()
    back = Camera.from_colmap(quaternion, translation, params, model=model, image_size=size)
    assert_same(back, camera)
    # A quaternion and its negative are the same rotation.
    assert_same(Camera.from_colmap(-quaternion, translation, params, image_size=size), camera)


def test_colmap_simple_pinhole_and_errors():
    quaternion, translation = torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 2.0])
    params = torch.tensor([10.0, 4.0, 3.0])
    camera = Camera.from_colmap(quaternion, translation, params, model="SIMPLE_PINHOLE", image_size=(6, 8))
    assert camera.project(torch.tensor([[1.0, 1.0, 0.0]])).tolist() == [[[9.0, 8.0, 2.0]]]
    with pytest.raises(ValueError, match="model: expected PINHOLE or SIMPLE_PINHOLE, got FOV"):
        Camera.from_colmap(quaternion, translation, params, model="FOV", image_size=(6, 8))
    with pytest.raises(ValueError, match="params: expected 4 numbers for PINHOLE, got 3"):
        Camera.from_colmap(quaternion, translation, params, image_size=(6, 8))
    with pytest.raises(ValueError, match="camera: expected a perspective camera without skew"):
        some_cameras((8, 8), "orthographic").to_colmap()
