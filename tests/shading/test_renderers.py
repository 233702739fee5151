"""HardRenderer and SoftRenderer: meshes, camera and lights in, RGBA out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from renderer import Camera, HardRenderer, Lights, Material, Mesh, MeshBatch, SoftRenderer
from renderer.raster import soft_render
from renderer.scene import cube, grid, icosphere
from renderer.shading import AmbientLight, DirectionalLight, PointLight, SphericalHarmonicsLight

F64 = torch.float64
LIGHTS = Lights(AmbientLight(0.2), DirectionalLight((0.3, 0.6, 0.8), colour=0.7))


def camera(size: int = 32, **options) -> Camera:
    return Camera.orbit(3.2, 25.0, 30.0, image_size=(size, size), **options).to(F64)


def soft(scale: float = 0.7, gamma: float = 1e-3, **options) -> SoftRenderer:
    return SoftRenderer("logistic", scale=scale, gamma=gamma, **options)


def both() -> list:
    """Both renderers, the soft one nearly hard, so that it can be compared with what is there."""
    background = (0.1, 0.2, 0.3)
    return [HardRenderer(background=background), soft(0.1, 3e-4, background=background, coverage="outline")]


def many_lights() -> Lights:
    return Lights(*LIGHTS, PointLight((1.0, 1.0, 1.5), colour=0.2), SphericalHarmonicsLight(0.1 * torch.ones(9, 3)))


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
@pytest.mark.parametrize("normals", ["smooth", "flat"])
@pytest.mark.parametrize("renderer", both(), ids=["hard", "soft"])
def test_a_sphere_against_its_shading_formula(renderer, normals: str, projection: str) -> None:
    size = 48
    view = camera(size, projection=projection, view_height=2.6)
    material = Material((0.8, 0.5, 0.2), specular=0.3, shininess=12.0, normals=normals)
    mesh = icosphere(5, dtype=F64).with_appearance(material=material)
    image = renderer(mesh, view, many_lights())[0]
    # The ray of every pixel, its first point on the unit sphere, and the light there.
    y, x = torch.meshgrid(*[torch.arange(size, dtype=F64) + 0.5] * 2, indexing="ij")
    K, pose = view.K, view.camera_to_world
    xy = torch.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1]], -1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    if projection == "perspective":
        origin, direction = pose[:3, 3].expand(size, size, 3), torch.stack([xy[..., 0], xy[..., 1], one], -1)
    else:
        origin = torch.stack([xy[..., 0], xy[..., 1], zero], -1) @ pose[:3, :3].T + pose[:3, 3]
        direction = torch.stack([zero, zero, one], -1)
    direction = torch.nn.functional.normalize(direction @ pose[:3, :3].T, dim=-1)
    b = (origin * direction).sum(-1)
    root = b * b - origin.square().sum(-1) + 1
    inside = root > 0.15  # away from the outline, which the renderers blend
    n = origin + (-b - root.clamp(min=0).sqrt())[..., None] * direction
    albedo, eye = torch.tensor([0.8, 0.5, 0.2], dtype=F64), -direction
    expected, highlight = 0.2 + zero[..., None], zero[..., None]
    for towards, colour in (((0.3, 0.6, 0.8), 0.7), ((1.0, 1.0, 1.5), 0.2)):
        towards = torch.tensor(towards, dtype=F64).expand_as(n)
        towards = torch.nn.functional.normalize(towards - n if colour == 0.2 else towards, dim=-1)
        cosine = (n * towards).sum(-1, keepdim=True)
        half = torch.nn.functional.normalize(towards + eye, dim=-1)
        expected = expected + colour * cosine.clamp(min=0)
        shine = (n * half).sum(-1, keepdim=True).clamp(min=0) ** 12
        highlight = highlight + colour * torch.where(cosine > 0, shine, 0.0)
    c = [0.5 / math.sqrt(math.pi), math.sqrt(3 / 4 / math.pi), math.sqrt(15 / 4 / math.pi), math.sqrt(5 / 16 / math.pi)]
    nx, ny, nz = n.unbind(-1)
    bands = c[0] + 2 / 3 * c[1] * (nx + ny + nz) + 0.25 * (c[2] * (nx * ny + ny * nz + nx * nz))
    bands = bands + 0.25 * (c[3] * (3 * nz * nz - 1) + c[2] / 2 * (nx * nx - ny * ny))
    expected = albedo * (expected + 0.1 * bands[..., None]) + 0.3 * highlight
    error = (image[..., :3] - expected)[inside].abs()
    assert inside.sum() > 500
    assert error.max() < (0.03 if normals == "flat" or isinstance(renderer, SoftRenderer) else 0.004)
    assert image[..., 3][inside].min() > 0.95
    corner = image[0, 0]
    torch.testing.assert_close(corner, torch.tensor([0.1, 0.2, 0.3, 0.0], dtype=F64), atol=1e-6, rtol=0)


def floor_colours(points: Tensor) -> Tensor:
    return 0.5 + points @ torch.tensor([[0.03, 0.0, 0.02], [0.0, 0.0, 0.0], [0.01, -0.04, 0.02]], dtype=F64)


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("kind", ["vertex", "corner", "texture"])
def test_colours_on_a_floor_that_reaches_behind_the_camera(kind: str, cells: int) -> None:
    flat = grid(cells, cells, size=20.0, dtype=F64)
    floor = torch.stack([flat.vertices[:, 0], torch.full_like(flat.vertices[:, 0], -0.4), -flat.vertices[:, 1]], -1)
    view = Camera.look_at((0.1, 0.5, 0.2), (0.0, -0.1, -3.0), image_size=(24, 32), fov_y=70.0).to(F64)
    if kind == "texture":
        # A texture whose value is its coordinate: texel centres lie at +0.5.
        ramp = (torch.arange(64, dtype=F64) + 0.5) / 64
        image = torch.stack([ramp.expand(64, 64), ramp.flip(0)[:, None].expand(64, 64), ramp.new_zeros(64, 64)], -1)
        material = Material(texture=image, texture_filter="linear", texture_wrap="clamp")
        mesh = Mesh(floor, flat.faces, uv=flat.vertices[:, :2] / 20 + 0.5, material=material)
    elif kind == "vertex":
        mesh = Mesh(floor, flat.faces, vertex_colours=floor_colours(floor))
    else:
        own = floor[flat.faces].reshape(-1, 3)
        mesh = Mesh(own, torch.arange(len(own)).reshape(-1, 3), vertex_colours=floor_colours(own))
    for renderer in (HardRenderer(antialias=False), SoftRenderer("uniform", scale=0.5, gamma=1e-5)):
        picture = renderer(mesh, view)[0]
        y, x = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(32) + 0.5, indexing="ij")
        K, pose = view.K, view.camera_to_world
        ray = torch.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], torch.ones_like(x, dtype=F64)], -1)
        ray = ray @ pose[:3, :3].T
        t = (-0.4 - pose[1, 3]) / ray[..., 1]
        hit = pose[:3, 3] + t[..., None] * ray
        on = (t > 0) & (hit[..., [0, 2]].abs() < 9.5).all(-1)
        on = on & (picture[..., 3] > 0.999)
        assert on.sum() > 300
        expected = floor_colours(hit)
        if kind == "texture":
            expected = torch.stack([hit[..., 0] / 20 + 0.5, -hit[..., 2] / 20 + 0.5, torch.zeros_like(t)], -1)
        torch.testing.assert_close(picture[..., :3][on], expected[on], atol=1e-6, rtol=0)


def test_far_plane_cuts() -> None:
    mesh = icosphere(3, dtype=F64)
    view = Camera.look_at((0.0, 0.0, 3.0), image_size=(64, 64)).to(F64)
    # Only the cap in front of z = 0.5, a disc of radius √0.75 at depth 2.5, is left.
    area = math.pi * (float(view.K[0, 0]) * math.sqrt(0.75) / 2.5) ** 2
    for renderer in (HardRenderer(far=2.5), SoftRenderer("uniform", scale=0.5, far=2.5, coverage="outline")):
        assert float(renderer(mesh, view)[..., 3].sum()) == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("renderer", both(), ids=["hard", "soft"])
def test_batches(renderer) -> None:
    mesh = icosphere(2, dtype=F64).with_appearance(material=Material((0.8, 0.5, 0.2), specular=0.2))
    views = Camera.orbit(3.2, 20.0, torch.tensor([0.0, 70.0, 200.0]), image_size=(24, 24)).to(F64)
    lights = many_lights()
    together = renderer(mesh, views, lights)
    alone = torch.cat([renderer(mesh, view, lights) for view in views])
    torch.testing.assert_close(together, alone)
    shapes = mesh.with_vertices(mesh.vertices * torch.tensor([0.5, 0.8, 1.0], dtype=F64).reshape(3, 1, 1))
    each = [renderer(mesh.with_vertices(v), view, lights) for v, view in zip(shapes.vertices, views, strict=True)]
    torch.testing.assert_close(renderer(shapes, views, lights), torch.cat(each))
    different = MeshBatch([mesh, cube(size=1.0, dtype=F64), icosphere(1, dtype=F64)])
    each = [renderer(m, view, lights) for m, view in zip(different, views, strict=True)]
    torch.testing.assert_close(renderer(different, views, lights), torch.cat(each))
    with pytest.raises(ValueError, match=r"^camera: expected one, or one for each of 3 meshes, got 2$"):
        renderer(different, views[:2], lights)


@pytest.mark.parametrize("renderer", both(), ids=["hard", "soft"])
def test_several_meshes_hide_each_other(renderer) -> None:
    view = Camera.look_at((0.0, 0.0, 4.0), image_size=(48, 48)).to(F64)
    texture = torch.zeros(4, 4, 3, dtype=F64)
    texture[..., 2] = 1.0
    plane = grid(1, 1, dtype=F64)
    back = plane.with_appearance(uv=plane.vertices[:, :2], material=Material(texture=texture))
    front = icosphere(3, radius=0.4, dtype=F64).with_appearance(material=Material((1.0, 0.0, 0.0), normals="flat"))
    front = front.with_vertices(front.vertices + torch.tensor([0.0, 0.0, 0.6], dtype=F64))
    coloured = cube(size=0.3, dtype=F64).with_appearance(face_colours=torch.tensor([[0.0, 1.0, 0.0]]).expand(12, 3))
    coloured = coloured.with_vertices(coloured.vertices + torch.tensor([0.7, 0.7, 0.5], dtype=F64))
    for order in ([back, front, coloured], [coloured, back, front]):
        image = renderer(order, view)[0]
        red, blue, green = image[24, 24], image[36, 14], image[13, 35]
        torch.testing.assert_close(red, torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=F64), atol=1e-3, rtol=0)
        torch.testing.assert_close(blue, torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=F64), atol=1e-3, rtol=0)
        torch.testing.assert_close(green, torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=F64), atol=1e-3, rtol=0)
    alone = renderer([front], view, LIGHTS)
    assert torch.equal(alone, renderer(front, view, LIGHTS))
    with pytest.raises(ValueError, match=r"^mesh\[1\]: expected torch.float64 on cpu as mesh\[0\], got torch.float32"):
        renderer([front, cube()], view)
    with pytest.raises(ValueError, match=r"^mesh: expected at least one mesh, got none$"):
        renderer([], view)


def test_back_face_culling() -> None:
    view = Camera.look_at((0.0, 0.0, -3.0), image_size=(16, 16)).to(F64)
    plane = grid(dtype=F64)
    assert HardRenderer()(plane, view)[..., 3].sum() > 50
    assert not HardRenderer(cull_back_faces=True)(plane, view).any()


def test_everything_behind_the_camera_is_background() -> None:
    view = Camera.look_at((0.0, 0.0, -3.0), (0.0, 0.0, -9.0), image_size=(8, 8)).to(F64)
    plane = grid(dtype=F64)
    mesh = plane.with_appearance(uv=plane.vertices[:, :2], material=Material(texture=torch.rand(4, 4, 3)))
    for renderer in both():
        image = renderer([mesh, icosphere(1, dtype=F64)], view, many_lights())
        expected = torch.tensor([0.1, 0.2, 0.3, 0.0], dtype=F64).expand_as(image)
        torch.testing.assert_close(image, expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("renderer", both(), ids=["hard", "soft"])
def test_an_image_as_background(renderer) -> None:
    renderer.background = torch.rand(16, 16, 3, dtype=F64)
    image = renderer(icosphere(1, radius=0.3, dtype=F64), camera(16))
    torch.testing.assert_close(image[0, 0, :, :3], renderer.background[0], atol=1e-6, rtol=0)


# -- gradients --------------------------------------------------------------------------------------------------------


def learnable() -> dict[str, Tensor]:
    torch.manual_seed(0)
    names = {"base": (3,), "specular": (3,), "texture": (8, 8, 3)}
    names |= {"ambient": (3,), "harmonics": (9, 3), "colours": (42, 3)}
    made = {name: 0.2 + 0.5 * torch.rand(shape, dtype=F64) for name, shape in names.items()}
    return made | {"shininess": torch.tensor(9.0, dtype=F64), "towards": torch.tensor([0.3, 0.6, 0.8], dtype=F64)}


def picture(renderer, values: dict[str, Tensor]) -> Tensor:
    ball = icosphere(1, dtype=F64)
    uv = torch.stack([ball.vertices[:, 0] * 0.4 + 0.5, ball.vertices[:, 1] * 0.4 + 0.5], -1)
    material = Material(
        values["base"], values["texture"], values["specular"], values["shininess"], texture_filter="linear"
    )
    mesh = ball.with_appearance(material=material, uv=uv, vertex_colours=values["colours"])
    lights = Lights(
        AmbientLight(values["ambient"]),
        DirectionalLight(values["towards"]),
        SphericalHarmonicsLight(values["harmonics"]),
    )
    return renderer(mesh, camera(16), lights)


@pytest.mark.parametrize("renderer", both(), ids=["hard", "soft"])
def test_gradients_of_materials_and_lights(renderer) -> None:
    values = {name: value.requires_grad_() for name, value in learnable().items()}
    weight = torch.rand(1, 16, 16, 4, dtype=F64)

    def loss() -> Tensor:
        return (picture(renderer, values) * weight).sum()

    gradients = dict(zip(values, torch.autograd.grad(loss(), list(values.values())), strict=True))
    step = 1e-6
    for name, value in values.items():
        direction = torch.randn_like(value)
        with torch.no_grad():
            value += step * direction
            up = loss()
            value -= 2 * step * direction
            down = loss()
            value += step * direction
        expected = float(up - down) / (2 * step)
        assert float((gradients[name] * direction).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-7), name
        assert gradients[name].any(), name


def test_soft_gradient_of_positions_by_finite_differences() -> None:
    torch.manual_seed(1)
    mesh = icosphere(1, dtype=F64)
    mesh = mesh.with_appearance(vertex_colours=torch.rand(42, 3), material=Material(specular=0.3, normals="flat"))
    target = torch.rand(1, 20, 20, 4, dtype=F64)
    renderer = SoftRenderer("logistic", scale=0.7, gamma=1e-3)
    view = camera(20)

    def loss(v: Tensor) -> Tensor:
        return (renderer(mesh.with_vertices(v), view, many_lights()) - target).square().sum()

    v = mesh.vertices.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(v), v)
    differences = torch.zeros_like(v)
    with torch.no_grad():
        for i in range(v.numel()):
            step = torch.zeros(v.numel(), dtype=F64)
            step[i] = 1e-5
            step = step.reshape(v.shape)
            differences.view(-1)[i] = (loss(v + step) - loss(v - step)) / 2e-5
    cosine = torch.nn.functional.cosine_similarity(gradient.flatten(), differences.flatten(), dim=0)
    assert cosine > 0.999, float(cosine)
    torch.testing.assert_close(gradient.norm(), differences.norm(), rtol=0.01, atol=0)


def test_hard_gradient_of_positions_moves_a_sphere_back() -> None:
    # The picture's derivative through shading and outlines: fit a shift of 8 % of the radius.
    mesh = icosphere(3, dtype=F64).with_appearance(material=Material((0.8, 0.5, 0.2)))
    view, renderer = camera(48), HardRenderer()
    target = renderer(mesh, view, LIGHTS).detach()
    shift = torch.tensor([0.05, -0.05, 0.03], dtype=F64).requires_grad_()
    optimiser = torch.optim.Adam([shift], lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        (renderer(mesh.with_vertices(mesh.vertices + shift), view, LIGHTS) - target).square().mean().backward()
        optimiser.step()
    assert shift.detach().norm() < 0.012


def test_gamma_is_a_parameter() -> None:
    gamma = nn.Parameter(torch.tensor(1e-2))
    renderer = SoftRenderer("logistic", scale=0.7, gamma=gamma)
    assert dict(renderer.named_parameters()) == {"gamma": gamma}
    renderer(icosphere(1), Camera.look_at((0.0, 0.0, 3.0), image_size=(16, 16)), LIGHTS).sum().backward()
    assert gamma.grad.isfinite()
    assert gamma.grad != 0


def test_blend_softmax_is_soft_render() -> None:
    mesh = icosphere(1, dtype=F64).with_appearance(vertex_colours=torch.rand(42, 3))
    view = camera(16)
    renderer = soft(blend="softmax", background=(0.1, 0.2, 0.3), eps=0.5)
    rgb, alpha = soft_render(
        view.project(mesh.vertices),
        mesh.faces,
        mesh.vertex_colours[None].double(),
        (16, 16),
        distribution=renderer.distribution,
        t_conorm=renderer.t_conorm,
        gamma=1e-3,
        eps=0.5,
        background=torch.tensor([0.1, 0.2, 0.3], dtype=F64),
        near=view.near,
        far=100.0,
    )
    image = renderer(mesh, view)
    torch.testing.assert_close(image, torch.cat([rgb, alpha[..., None]], -1), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blend": "over"}, "blend: expected 'coverage' or 'softmax', got 'over'"),
        ({"gamma": 0.0}, "gamma: expected a positive number, got 0.0"),
        ({"background": (1.0, 2.0)}, r"background: expected 3 finite numbers, got \(1.0, 2.0\)"),
    ],
)
def test_errors(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        SoftRenderer("logistic", scale=1.0, **options)
