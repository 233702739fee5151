import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.pose import check_rigid, inverse_rigid, quaternion_to_rotation, rotation_to_quaternion

DOUBLE = {"dtype": torch.float64}
POINTS = torch.tensor([[0.3, -0.2, 0.1], [-0.4, 0.5, 0.2], [0.0, 0.1, -0.3]], **DOUBLE)


def some_cameras(projection="perspective", image_size=(48, 64)):
    """Four cameras with different intrinsics all around, float64."""
    turn = torch.tensor([10.0, 100.0, 200.0, 300.0], **DOUBLE)
    camera = Camera.orbit(3.0, turn / 8 - 20, turn, image_size=image_size, projection=projection)
    K = camera.K.clone()
    K[:, 0, 0] *= 1 + turn / 1000
    K[:, :2, 2] += torch.stack([turn / 50, -turn / 70], dim=1)
    return camera.with_intrinsics(K)


def test_projection_closed_form():
    K = torch.tensor([[100.0, 2.0, 30.0], [0.0, 120.0, 20.0], [0.0, 0.0, 1.0]])
    point = torch.tensor([[1.0, 2.0, 4.0]])
    camera = Camera(torch.eye(4), K, (40, 60))
    assert camera.project(point).tolist() == [[[100 * 0.25 + 2 * 0.5 + 30, 120 * 0.5 + 20, 4.0]]]
    flat = Camera(torch.eye(4), K, (40, 60), "orthographic")
    assert flat.project(point).tolist() == [[[100 + 2 * 2 + 30, 120 * 2 + 20, 4.0]]]


def test_image_axes():
    """x of the world is to the right, y is up, and nearer is a smaller depth, for a camera on +z."""
    camera = Camera.look_at((0.0, 0.0, 4.0), image_size=(100, 200), fov_y=90.0)
    middle, right, up, near = camera.project(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))[0]
    torch.testing.assert_close(middle, torch.tensor([100.0, 50.0, 4.0]))
    torch.testing.assert_close(right, torch.tensor([112.5, 50.0, 4.0]))
    torch.testing.assert_close(up, torch.tensor([100.0, 37.5, 4.0]))
    torch.testing.assert_close(near, torch.tensor([100.0, 50.0, 3.0]))


def test_field_of_view_reaches_the_edge_of_the_image():
    camera = Camera.perspective(image_size=(100, 160), fov_y=60.0)
    top = torch.tensor([[0.0, -math.tan(math.radians(30)), 1.0]])
    torch.testing.assert_close(camera.project(top), torch.tensor([[[80.0, 0.0, 1.0]]]), atol=1e-4, rtol=0)
    flat = Camera.orthographic(image_size=(100, 160), view_height=4.0)
    torch.testing.assert_close(flat.project(torch.tensor([[0.0, 2.0, 1.0]])), torch.tensor([[[80.0, 100.0, 1.0]]]))


def test_focal_and_principal_point():
    camera = Camera.perspective(image_size=(10, 20), focal=7.0, principal_point=(3.0, 4.0))
    assert camera.K.tolist() == [[7.0, 0.0, 3.0], [0.0, 7.0, 4.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("elevation", "azimuth", "eye"),
    [
        (0, 0, (0, 0, 2)),
        (0, 90, (2, 0, 0)),
        (90, 0, (0, 2, 0)),
        (-90, 30, (0, -2, 0)),
        (30, 180, (0, 1, -math.sqrt(3))),
    ],
)
def test_orbit_positions(elevation, azimuth, eye):
    camera = Camera.orbit(2.0, elevation, azimuth, image_size=(8, 8), target=(1.0, 2.0, 3.0))
    torch.testing.assert_close(camera.centre, torch.tensor(eye) + torch.tensor([1.0, 2.0, 3.0]), atol=1e-6, rtol=0)
    middle = camera.project(torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(middle, torch.tensor([[[4.0, 4.0, 2.0]]]), atol=1e-5, rtol=0)


def test_orbit_is_look_at_away_from_the_poles():
    elevation, azimuth = torch.tensor([-60.0, 0.0, 45.0], **DOUBLE), torch.tensor([10.0, 200.0, 300.0], **DOUBLE)
    orbit = Camera.orbit(3.0, elevation, azimuth, image_size=(8, 8))
    look = Camera.look_at(orbit.centre, image_size=(8, 8))
    torch.testing.assert_close(orbit.world_to_camera, look.world_to_camera)


def test_dtype_follows_the_input():
    assert Camera.look_at(torch.ones(3, **DOUBLE), image_size=(8, 8)).dtype == torch.float64
    assert Camera.look_at((1.0, 1.0, 1.0), image_size=(8, 8)).dtype == torch.float32
    assert Camera.orbit(1.0, 0, torch.tensor([0, 90]), image_size=(8, 8)).dtype == torch.float32


def test_batches():
    cameras = some_cameras()
    assert len(cameras) == 4
    assert cameras.batch_shape == (4,)
    assert cameras[1].batch_shape == ()
    assert len(cameras[1:3]) == 2
    assert len(cameras[torch.tensor([True, False, True, True])]) == 3
    torch.testing.assert_close(cameras[[2, 0]].K, cameras.K[[2, 0]])
    again = Camera.stack(list(cameras))
    assert torch.equal(again.K, cameras.K)
    assert torch.equal(again.world_to_camera, cameras.world_to_camera)
    assert cameras.project(POINTS).shape == (4, 3, 3)
    assert cameras.project(POINTS.expand(4, 3, 3)).shape == (4, 3, 3)
    assert cameras[0].project(POINTS).shape == (1, 3, 3)
    assert cameras[0].project(POINTS.expand(5, 3, 3)).shape == (5, 3, 3)
    grid = Camera.stack([cameras, cameras])
    assert grid.batch_shape == (2, 4)
    assert grid.project(POINTS).shape == (2, 4, 3, 3)
    for i, camera in enumerate(cameras):
        torch.testing.assert_close(camera.project(POINTS)[0], cameras.project(POINTS)[i])


def test_one_intrinsic_matrix_serves_all_poses():
    cameras = some_cameras()
    shared = Camera(cameras.world_to_camera, cameras.K[0], cameras.image_size)
    assert shared.K.shape == (4, 3, 3)


def test_single_cameras_have_no_length():
    camera = some_cameras()[0]
    with pytest.raises(TypeError, match=r"len\(\) of a single camera"):
        len(camera)
    with pytest.raises(IndexError, match="index into a single camera"):
        camera[0]
    with pytest.raises(IndexError, match="index: expected at most 1 batch dimensions"):
        some_cameras()[0, 0]


def test_stack_errors():
    camera = some_cameras()[0]
    with pytest.raises(ValueError, match="cameras: expected at least one camera"):
        Camera.stack([])
    with pytest.raises(
        ValueError, match=r"cameras\[1\]: expected image_size \(48, 64\) as cameras\[0\], got \(24, 32\)"
    ):
        Camera.stack([camera, camera.resize(0.5)])


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_resize_keeps_the_picture(projection):
    camera = some_cameras(projection)
    half = camera.resize(0.5)
    assert half.image_size == (24, 32)
    before, after = camera.project(POINTS), half.project(POINTS)
    torch.testing.assert_close(after * after.new_tensor([2.0, 2.0, 1.0]), before)
    odd = camera.resize((7, 100))
    assert (odd.image_size, odd.projection) == ((7, 100), projection)
    torch.testing.assert_close(odd.project(POINTS) / before, before.new_tensor([100 / 64, 7 / 48, 1]).expand(4, 3, 3))
    assert camera.resize(0.33).image_size == (16, 21)
    torch.testing.assert_close(camera.resize(0.33).resize((48, 64)).K, camera.K)


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan, (0, 4), (2.5, 3), "large", (1, 2, 3)])
def test_resize_errors(size):
    with pytest.raises(ValueError, match="expected"):
        some_cameras().resize(size)


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_gradcheck(projection):
    camera = some_cameras(projection)[:2]
    pose, K = camera.world_to_camera.clone().requires_grad_(), camera.K.clone().requires_grad_()
    points = POINTS.clone().requires_grad_()

    def project(pose, K, points):
        return camera.with_world_to_camera(pose).with_intrinsics(K).project(points)

    assert torch.autograd.gradcheck(project, (pose, K, points))


def test_gradcheck_constructors():
    def project(distance, elevation, azimuth, target, fov):
        return Camera.orbit(distance, elevation, azimuth, target=target, fov_y=fov, image_size=(8, 8)).project(POINTS)

    inputs = [
        torch.tensor(v, **DOUBLE).requires_grad_() for v in (3.0, [20.0, 50.0], [0.0, 70.0], [0.1, 0.2, 0.3], 40.0)
    ]
    assert torch.autograd.gradcheck(project, inputs)

    def look(eye, target, up):
        return Camera.look_at(eye, target, up, image_size=(8, 8)).project(POINTS)

    inputs = [torch.tensor(v, **DOUBLE).requires_grad_() for v in ([1.0, 2.0, 3.0], [0.1, 0.0, 0.0], [0.0, 1.0, 0.2])]
    assert torch.autograd.gradcheck(look, inputs)


def test_points_behind_a_perspective_camera_are_finite():
    camera = Camera.perspective(image_size=(8, 8))
    points = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, -2.0]], requires_grad=True)
    pixels = camera.project(points)
    pixels.sum().backward()
    assert torch.isfinite(pixels).all()
    assert pixels[0, :, 2].tolist() == [0.0, -2.0]
    assert torch.isfinite(points.grad).all()


def test_to_and_detach():
    camera = some_cameras()
    assert camera.to(torch.float32).dtype == torch.float32
    pose = camera.world_to_camera.clone().requires_grad_()
    moving = camera.with_world_to_camera(pose)
    assert moving.centre.requires_grad
    assert not moving.detach().centre.requires_grad
    torch.testing.assert_close(inverse_rigid(camera.world_to_camera), torch.linalg.inv(camera.world_to_camera))
    torch.testing.assert_close(camera.to_camera(camera.centre[:, None]), torch.zeros(4, 1, 3, **DOUBLE))


def _pose(**entries):
    matrix = torch.eye(4)
    for name, value in entries.items():
        matrix[int(name[1]), int(name[2])] = value
    return matrix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"world_to_camera": torch.eye(3)}, r"world_to_camera: expected shape \(..., 4, 4\), got \(3, 3\)"),
        ({"world_to_camera": _pose(m03=math.nan)}, "world_to_camera: expected finite numbers, got NaN or infinity"),
        (
            {"world_to_camera": _pose(m00=2.0)},
            "world_to_camera: expected a rigid pose, its rotation is 3 away from orth.*",
        ),
        (
            {"world_to_camera": _pose(m00=-1.0)},
            "world_to_camera: expected a rigid pose, its rotation is a reflection.*",
        ),
        ({"world_to_camera": _pose(m32=1.0)}, "world_to_camera: expected the last row 0 0 0 1, got 0 0 1 1"),
        (
            {"world_to_camera": torch.eye(4).long()},
            "world_to_camera: expected a floating point Tensor, got Tensor of .*",
        ),
        ({"K": torch.eye(4)}, r"K: expected shape \(..., 3, 3\), got \(4, 4\)"),
        ({"K": torch.eye(3) * math.inf}, "K: expected finite numbers, got NaN or infinity"),
        ({"K": torch.eye(3) * 2}, r"K: expected \[\[fx, s, cx\].* got other numbers below the diagonal"),
        ({"K": torch.eye(3) * torch.tensor([-1.0, 1.0, 1.0])}, "K: expected positive focal lengths, got -1"),
        (
            {"K": torch.eye(3, **DOUBLE)},
            "K: expected torch.float32 on cpu as world_to_camera, got torch.float64 on cpu",
        ),
        (
            {"K": torch.eye(3).expand(2, 3, 3), "world_to_camera": torch.eye(4).expand(3, 4, 4)},
            "K: expected batch shape.*",
        ),
        ({"image_size": (0, 3)}, r"image_size: expected two positive whole numbers \(height, width\), got \(0, 3\)"),
        ({"image_size": 5}, r"image_size: expected \(height, width\), got 5"),
        ({"projection": "fisheye"}, "projection: expected 'perspective' or 'orthographic', got 'fisheye'"),
        ({"near": 0.0}, "near: expected a positive distance, got 0.0"),
    ],
)
def test_bad_input_is_one_line(changes, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        Camera(**{"world_to_camera": torch.eye(4), "K": torch.eye(3), "image_size": (8, 8), **changes})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Camera.look_at((0.0, 0, 1), (0.0, 0, 1), image_size=(8, 8)),
            "eye: expected a point other than target.*",
        ),
        (lambda: Camera.look_at((0.0, 3, 0), image_size=(8, 8)), "up: expected a direction across the line of sight.*"),
        (lambda: Camera.look_at((0.0, 3), image_size=(8, 8)), r"eye: expected shape \(..., 3\), got \(2,\)"),
        (
            lambda: Camera.perspective(image_size=(8, 8), fov_y=180.0),
            "fov_y: expected degrees between 0 and 180, got 180.0",
        ),
        (
            lambda: Camera.orthographic(image_size=(8, 8), view_height=0.0),
            "view_height: expected a positive length, got 0.0",
        ),
        (lambda: Camera.orbit(1.0, 0, 0, image_size=(8, 8), projection="x"), "projection: expected 'perspective' or.*"),
        (
            lambda: Camera.perspective(image_size=(8, 8), principal_point=(1.0,)),
            r"principal_point: expected shape \(..., 2\), got \(1,\)",
        ),
        (lambda: some_cameras().project(torch.zeros(3)), r"points: expected shape \(..., V, 3\), got \(3,\)"),
        (lambda: some_cameras().with_world_to_camera(torch.eye(3)), r"world_to_camera: expected shape \(..., 4, 4\).*"),
        (lambda: some_cameras().with_intrinsics(torch.eye(4)), r"K: expected shape \(..., 3, 3\).*"),
    ],
)
def test_constructor_errors(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


unit = st.floats(-1, 1, allow_nan=False, width=32)


@given(st.tuples(unit, unit, unit, unit).filter(lambda q: math.hypot(*q) > 1e-2))
@settings(max_examples=100, deadline=None)
def test_quaternions_round_trip(numbers):
    quaternion = torch.tensor(numbers, **DOUBLE)
    rotation = quaternion_to_rotation(quaternion)
    check_rigid(torch.block_diag(rotation, torch.ones(1, 1, **DOUBLE)), name="rotation")
    back = rotation_to_quaternion(rotation)
    assert float(back[0]) >= 0
    torch.testing.assert_close(quaternion_to_rotation(back), rotation, atol=1e-12, rtol=0)


def test_quaternion_closed_form():
    half = math.sqrt(0.5)
    quarter_turn_about_z = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], **DOUBLE)
    torch.testing.assert_close(quaternion_to_rotation(torch.tensor([half, 0, 0, half], **DOUBLE)), quarter_turn_about_z)
    torch.testing.assert_close(rotation_to_quaternion(quarter_turn_about_z), torch.tensor([half, 0, 0, half], **DOUBLE))


def test_compile_and_func_transforms():
    camera = some_cameras()
    compiled = torch.compile(camera.project, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(POINTS), camera.project(POINTS))

    def first_pixel(pose):
        return camera[0].with_world_to_camera(pose).project(POINTS).sum()

    together = torch.func.vmap(torch.func.grad(first_pixel))(camera.world_to_camera)
    for pose, gradient in zip(camera.world_to_camera, together, strict=True):
        torch.testing.assert_close(torch.func.grad(first_pixel)(pose), gradient)
