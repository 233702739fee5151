"""Scenes: what they are made of, how they are framed and drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import pytest
import torch

from renderer.scene import AmbientLight, Camera, Lights, Material, Scene, cube, grid, icosphere
from renderer.scene.colours import linear_from_srgb
from renderer.scene.files import Part, placed
from renderer.shading import HardRenderer, SoftRenderer

SCENES = Path(__file__).parents[2] / "scenes"
PLAIN = Lights(AmbientLight(1.0))


def moved(x: float, y: float = 0.0, z: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    matrix = torch.eye(4)
    matrix[:3, :3] *= scale
    matrix[:3, 3] = torch.tensor([x, y, z])
    return matrix


def test_parts_stand_where_their_transforms_say() -> None:
    scene = Scene([cube(), Part("ball", icosphere(1), moved(5.0, scale=2.0))])
    assert [part.name for part in scene.placed_parts] == ["mesh 0", "ball"]
    torch.testing.assert_close(scene.bounds, torch.tensor([[-1.0, -2.0, -2.0], [7.0, 2.0, 2.0]]))
    torch.testing.assert_close(scene.meshes[1].vertices, icosphere(1).vertices * 2 + torch.tensor([5.0, 0.0, 0.0]))


def test_meshes_are_differentiable_in_vertices_and_transforms() -> None:
    transform = moved(1.0).requires_grad_()
    vertices = cube().vertices.requires_grad_()
    (mesh,) = Scene([Part("a", cube().with_vertices(vertices), transform)]).meshes
    mesh.vertices.sum().backward()
    torch.testing.assert_close(vertices.grad, torch.ones(8, 3))
    torch.testing.assert_close(transform.grad[:3, 3], torch.full((3,), 8.0))


def test_a_mirrored_part_still_looks_outward() -> None:
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    ball = icosphere(1)
    ball = ball.with_appearance(uv=ball.vertices[:, :2], face_colours=torch.rand(80, 3))
    mesh = placed(Part("a", ball, mirror))
    assert float(mesh.volume) == pytest.approx(float(ball.volume))
    # Each corner keeps its texture coordinates, and each face its colour.
    torch.testing.assert_close(mesh.uv[mesh.uv_faces][..., 0], -mesh.face_vertices[..., 0])
    torch.testing.assert_close(mesh.uv[mesh.uv_faces][..., 1], mesh.face_vertices[..., 1])
    assert torch.equal(mesh.face_colours, ball.face_colours)


@pytest.mark.parametrize("up", [(0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)])
@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
@pytest.mark.parametrize("size", [(40, 60), (60, 40)])
def test_framed_shows_the_whole_scene(size: tuple[int, int], projection: str, up: tuple[float, float, float]) -> None:
    """Balls fill the picture up to the margin, from any side, whatever their size and place."""
    ball = icosphere(2)
    for scale, place in ((1.0, 0.0), (1e-3, 5e-3), (500.0, 1e4)):
        scene = Scene([Part("a", ball, moved(place, 2 * place, 0.0, scale))], up=up)
        camera = scene.framed(
            azimuth=torch.tensor([0.0, 130.0]), elevation=torch.tensor([89.0, -20.0]), image_size=size,
            projection=projection,
        )  # fmt: skip
        screen = camera.project(scene.meshes[0].vertices)
        height, width = size
        extent = screen[..., :2].amax(1) - screen[..., :2].amin(1)
        assert (extent < min(size)).all()
        assert (extent > 0.9 * min(size)).all()
        centre = (screen[..., :2].amax(1) + screen[..., :2].amin(1)) / 2
        torch.testing.assert_close(centre, torch.tensor([width / 2, height / 2]).expand(2, 2), atol=0.2, rtol=0)
        assert (screen[..., 2] > camera.near).all()


def test_framed_from_azimuth_and_elevation() -> None:
    scene = Scene([cube()])
    for elevation, azimuth, direction in (
        (0.0, 0.0, (0.0, 0.0, 1.0)),
        (0.0, 90.0, (1.0, 0.0, 0.0)),
        (90.0, 0.0, (0.0, 1.0, 0.0)),
    ):
        camera = scene.framed(elevation=elevation, azimuth=azimuth, distance=7.0)
        torch.testing.assert_close(camera.centre, 7 * torch.tensor(direction), atol=1e-5, rtol=0)
    # With z up, azimuth 0 looks along y.
    camera = Scene([cube()], up=(0.0, 0.0, 1.0)).framed(elevation=0.0, azimuth=0.0, distance=7.0)
    torch.testing.assert_close(camera.centre, torch.tensor([0.0, -7.0, 0.0]), atol=1e-5, rtol=0)


def test_vertices_that_no_face_uses_do_not_frame() -> None:
    ball = icosphere(1)
    stray = type(ball)(torch.cat([ball.vertices, torch.full((1, 3), 100.0)]), ball.faces)
    torch.testing.assert_close(Scene([stray]).framed().centre, Scene([ball]).framed().centre)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fov_y": 0.0}, "fov_y: expected degrees between 0 and 180, got 0.0"),
        ({"fov_y": 200.0}, "fov_y: expected degrees between 0 and 180, got 200.0"),
        ({"distance": -1.0}, "distance: expected a positive number, got -1.0"),
        ({"distance": float("nan")}, "distance: expected a positive number, got nan"),
        ({"elevation": float("nan")}, "elevation: expected finite degrees, got nan"),
        ({"azimuth": float("inf")}, "azimuth: expected finite degrees, got inf"),
        ({"image_size": (0, 3)}, "image_size: expected two positive whole numbers .*"),
        ({"projection": "fisheye"}, "projection: expected 'perspective' or 'orthographic', got 'fisheye'"),
    ],
)
def test_framed_errors(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Scene([cube()]).framed(**options)


CAMERA = Camera.look_at((0.0, 0.0, 4.0), image_size=(24, 32))


def test_cameras_by_name() -> None:
    other = Camera.look_at((4.0, 0.0, 0.0), image_size=(8, 8))
    scene = Scene([cube()], cameras={"front": CAMERA, "side": other})
    assert scene.camera() is CAMERA
    assert scene.camera("side") is other
    with pytest.raises(ValueError, match=r"^camera: expected one of front, side, got 'top'$"):
        scene.camera("top")
    with pytest.raises(ValueError, match=r"^camera: expected one of none, got 'top'$"):
        Scene([cube()]).camera("top")
    assert scene.render(camera="side").shape == (1, 8, 8, 4)
    assert scene.render().shape == (1, 24, 32, 4)
    assert scene.render(camera=Camera.stack([CAMERA, CAMERA])).shape == (2, 24, 32, 4)


def test_render_chooses_renderer_and_lights() -> None:
    ball = icosphere(2).with_appearance(material=Material((0.25, 0.5, 1.0)))
    scene = Scene([ball, Part("b", ball, moved(0.5, scale=0.5))], cameras={"front": CAMERA}, background=(0.1, 0.2, 0.3))
    hard = HardRenderer(background=scene.background)
    assert torch.equal(scene.render(), hard(scene.meshes, CAMERA, scene.lights))
    assert torch.equal(scene.render(renderer=HardRenderer()), HardRenderer()(scene.meshes, CAMERA, scene.lights))
    image = scene.render(lights=PLAIN)[0]
    torch.testing.assert_close(image[12, 16], torch.tensor([0.25, 0.5, 1.0, 1.0]))
    torch.testing.assert_close(image[0, 0], torch.tensor([0.1, 0.2, 0.3, 0.0]))
    soft = scene.render(soft=True, lights=PLAIN)[0]
    assert (soft - image).abs().mean() < 0.01
    assert not torch.equal(soft, image)
    with pytest.raises(ValueError, match=r"^renderer: expected a SoftRenderer with soft=True, got HardRenderer$"):
        scene.render(soft=True, renderer=HardRenderer())
    assert scene.render(soft=True, renderer=SoftRenderer(scale=1.0)).shape == (1, 24, 32, 4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_soft_pictures_do_not_depend_on_the_unit_of_length(scale: float) -> None:
    """With the renderer's own far plane at 100 large scenes vanish, and in small ones back faces shine through."""
    scene = Scene([icosphere(2)])
    scaled = Scene([Part("a", icosphere(2), moved(0.0, scale=scale))])
    images = [s.render(camera=s.framed(image_size=(24, 24)), soft=True) for s in (scene, scaled)]
    torch.testing.assert_close(images[1], images[0], atol=1e-4, rtol=0)


def test_the_soft_depth_range_of_a_plane_seen_head_on() -> None:
    scene = Scene([grid(1, 1)])
    near, far = scene.depth_range(CAMERA)
    assert near == pytest.approx(4.0)
    assert far == pytest.approx(4.08)
    assert scene.render(camera=CAMERA, soft=True)[0, 12, 16, 3] == 1.0


def test_the_default_lights_follow_up_and_own_lights_stay() -> None:
    scene = Scene([cube()])
    assert not scene.has_own_lights
    turned = replace(scene, up=(0.0, 0.0, 1.0), lights=None)
    assert not torch.equal(turned.lights[0].coefficients, scene.lights[0].coefficients)
    assert Scene([cube()], lights=PLAIN).has_own_lights
    assert len(Scene([cube()], lights=Lights()).lights) == 0


def test_to_another_dtype() -> None:
    scene = Scene([cube().with_appearance(material=Material(0.5))], cameras={"front": CAMERA}).to(torch.float64)
    image = scene.render()
    assert image.dtype == torch.float64
    torch.testing.assert_close(
        image.float(), Scene([cube().with_appearance(material=Material(0.5))]).render(camera=CAMERA)
    )


def test_a_batch_of_shapes_is_framed_as_a_whole() -> None:
    ball = icosphere(1)
    scene = Scene([ball.with_vertices(torch.stack([ball.vertices, ball.vertices + 3.0])), cube()])
    torch.testing.assert_close(scene.bounds, torch.tensor([[-1.0] * 3, [4.0] * 3]))
    alpha = scene.render(camera=scene.framed(image_size=(32, 32)))[..., 3]
    assert alpha.shape == (2, 32, 32)
    border = torch.cat([alpha[:, [0, -1]].flatten(), alpha[:, :, [0, -1]].flatten()])
    assert float(border.max()) == 0.0
    assert (alpha.sum((1, 2)) > 30).all()


def test_gradients_reach_everything_in_the_scene() -> None:
    leaves = {
        "transform": moved(0.1).requires_grad_(),
        "base_colour": torch.tensor([0.5, 0.5, 0.5], requires_grad=True),
        "light": torch.tensor([1.0, 1.0, 1.0], requires_grad=True),
        "vertices": icosphere(1).vertices.requires_grad_(),
    }
    ball = icosphere(1).with_vertices(leaves["vertices"]).with_appearance(material=Material(leaves["base_colour"]))
    scene = Scene([Part("a", ball, leaves["transform"])], lights=Lights(AmbientLight(leaves["light"])))
    for soft in (False, True):
        scene.render(camera=CAMERA, soft=soft)[..., :3].square().sum().backward()
        for name, leaf in leaves.items():
            assert float(leaf.grad.abs().sum()) > 0, name
            leaf.grad = None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": []}, "parts: expected at least one mesh, got none"),
        ({"parts": cube()}, "parts: expected a list of meshes, got Mesh"),
        ({"parts": Part("a", cube(), torch.eye(4))}, "parts: expected a list of meshes, got Part"),
        ({"parts": ["a.obj"]}, r"parts\[0\]: expected a Mesh or Part, got str"),
        ({"parts": [Part("a", cube(), torch.eye(3))]}, r"parts\[0\].transform: expected shape \(4, 4\), got \(3, 3\)"),
        ({"cameras": {"a": 3}}, r"cameras\['a'\]: expected a Camera, got int"),
        ({"lights": [AmbientLight()]}, r"lights: expected Lights\(...\) or None, got list"),
        ({"background": "red"}, "background: expected a colour such as #ffcc00, got 'red'"),
        ({"background": torch.rand(4, 4, 3)}, r"background: expected one colour, got shape \(4, 4, 3\)"),
        ({"up": (0.0, 0.0, 0.0)}, "up: expected a direction of three numbers, not all zero, got .*"),
    ],
)
def test_bad_arguments_are_one_line(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Scene(**{"parts": [cube()], **arguments})


@pytest.mark.parametrize("name", ["creature", "plant", "teapot"])
def test_the_scenes_of_the_project_are_what_their_pictures_show(name: str) -> None:
    """The pictures come from a signed distance by ray tracing: sRGB, straight alpha."""
    scene = Scene.load(SCENES / name)
    assert list(scene.cameras) == ["front", "train", "test"]
    assert len(scene.camera("train")) == 24
    assert len(scene.camera("test")) == 8
    camera = scene.camera("test")[3]
    pixels = torch.from_numpy(iio.imread(SCENES / name / "test" / "r_3.png")).float() / 255
    alpha = pixels[..., 3:]
    expected = torch.where(alpha > 0, linear_from_srgb(pixels[..., :3]), scene.background) * alpha
    expected = expected + (1 - alpha) * scene.background
    inside = alpha[..., 0] == 1
    hard = scene.render(camera=camera.resize(2))[0].unflatten(0, (256, 2)).unflatten(2, (256, 2)).mean((1, 3))
    soft = scene.render(camera=camera, soft=True)[0]
    # The pictures have the normals of the true surface: they differ at creases. Soft faces in front of others show a
    # little of what is behind, at their edges.
    for image, error, bias in ((hard, 1e-2, 2e-3), (soft, 1.5e-2, 4e-3)):
        difference = image[..., :3] - expected
        assert float((image[..., 3:] - alpha).abs().mean()) < 1.5e-3
        assert float(difference[inside].abs().median()) < 4e-3
        assert float(difference[inside].abs().mean()) < error
        assert abs(float(difference[inside].mean())) < bias
        assert float(difference[~inside].abs().mean()) < 1e-3
    # Read as sRGB that is linear, or linear that is sRGB, the pictures would differ a lot.
    assert float((hard[..., :3] - pixels[..., :3]).abs()[inside].mean()) > 0.1
