"""SoftRenderer: mesh and camera in, silhouettes out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from renderer import Camera, Mesh, MeshBatch, SoftRenderer
from renderer.relax import distribution, t_conorm
from renderer.scene import cube, icosphere


def camera(size: int = 64, distance: float = 3.0) -> Camera:
    return Camera.look_at((0.0, 0.0, distance), image_size=(size, size))


def test_area_of_a_sphere() -> None:
    renderer = SoftRenderer("uniform", scale=0.5, coverage="outline")
    view = camera(128)
    image = renderer.silhouette(icosphere(4), view)
    assert image.shape == (1, 128, 128)
    # A unit sphere at distance 3 is seen under asin(1/3): a disc of radius f tan(asin(1/3)).
    radius = float(view.K[1, 1]) / math.sqrt(8)
    assert float(image.sum()) == pytest.approx(math.pi * radius**2, rel=2e-3)


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_parameters_are_the_modules(coverage: str) -> None:
    scale, p = nn.Parameter(torch.tensor(0.7)), nn.Parameter(torch.tensor(1.5))
    renderer = SoftRenderer(distribution("logistic", scale=scale), t_conorm("hamacher", p), coverage=coverage)
    assert {name for name, _ in renderer.named_parameters()} == {"scale", "p"}
    renderer.silhouette(icosphere(1), camera(16)).square().sum().backward()
    assert scale.grad is not None
    assert scale.grad != 0
    if coverage == "face":
        assert p.grad != 0
    else:
        assert p.grad is None  # one union of faces has nothing to aggregate
    assert "logistic" in repr(renderer)


def test_gradient_reaches_vertices_and_camera() -> None:
    renderer = SoftRenderer("logistic", scale=0.7)
    mesh = icosphere(1)
    v = mesh.vertices.double().requires_grad_()
    view = Camera.look_at((0.1, 0.2, 3.0), image_size=(24, 24)).to(torch.float64)
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def loss(v, shift):
        return renderer.silhouette(Mesh(v + shift, mesh.faces), view).square().sum()

    grads = torch.autograd.grad(loss(v, shift), (v, shift))
    torch.testing.assert_close(grads[0].sum(0), grads[1])
    assert torch.autograd.gradcheck(lambda s: loss(v.detach(), s), shift, eps=1e-6, atol=1e-4)


def test_batch_of_different_meshes() -> None:
    renderer = SoftRenderer("logistic", scale=0.7, coverage="outline")
    batch = MeshBatch([icosphere(2), cube()])
    views = Camera.stack([camera(32), camera(32, 4.0)])
    images = renderer(batch, views)
    for i, mesh in enumerate((icosphere(2), cube())):
        torch.testing.assert_close(images[i : i + 1], renderer(mesh, views[i]))
    torch.testing.assert_close(renderer(batch, camera(32))[1:], renderer(cube(), camera(32)))
    with pytest.raises(ValueError, match="camera: expected one, or one for each of 2 meshes, got 3"):
        renderer(batch, Camera.stack([camera(32)] * 3))


@pytest.mark.parametrize("coverage", ["face", "outline"])
def test_camera_inside_the_scene(coverage: str) -> None:
    # A large floor reaches behind the camera: it is cut at the near plane, in value and in gradient.
    floor = Mesh(
        torch.tensor([[-9.0, -1, -9], [9, -1, -9], [9, -1, 9], [-9, -1, 9]]).requires_grad_(),
        torch.tensor([[0, 2, 1], [0, 3, 2]]),
    )
    view = Camera.look_at((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), image_size=(32, 32))
    image = SoftRenderer("uniform", scale=0.5, coverage=coverage).silhouette(floor, view)
    image.sum().backward()
    assert torch.isfinite(image).all()
    assert torch.isfinite(floor.vertices.grad).all()
    assert (image[0, :14] == 0).all()
    assert (image[0, 22:, 4:-4] > 0.99).all()


def test_errors() -> None:
    with pytest.raises(ValueError, match="coverage"):
        SoftRenderer("logistic", scale=1.0, coverage="pixel")
    with pytest.raises(ValueError, match="scale: expected a number in pixels beside the name 'logistic'"):
        SoftRenderer("logistic")
    with pytest.raises(ValueError, match="scale: expected none beside a distribution object"):
        SoftRenderer(distribution("logistic", scale=1.0), scale=2.0)
