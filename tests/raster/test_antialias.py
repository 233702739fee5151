"""Antialiasing: exact areas, hidden edges, small faces, and the derivative of visibility by finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from renderer import Camera
from renderer.raster import antialias, interpolate, project_mesh, rasterize
from renderer.scene.primitives import icosphere, torus

F64 = torch.float64


def cover(vertices: Tensor, faces: Tensor, size: tuple[int, int]) -> Tensor:
    """Antialiased alpha (B, H, W)."""
    fragments = rasterize(vertices, faces, size)
    alpha = (fragments.face_id >= 0).to(vertices.dtype)[..., None]
    return antialias(alpha, fragments, vertices, faces)[..., 0]


def rectangle(x0: float, y0: float, x1: float, y1: float, depth: float = 1.0) -> tuple[Tensor, Tensor]:
    corners = [[x0, y0, depth], [x0, y1, depth], [x1, y1, depth], [x1, y0, depth]]
    return torch.tensor([corners], dtype=F64), torch.tensor([[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("x0", [2.0, 2.2, 2.5, 2.7, 3.3])
def test_straight_edges_come_out_as_their_area(x0: float) -> None:
    vertices, faces = rectangle(x0, -5, 6.4, 15)
    columns = torch.arange(10, dtype=F64)
    area = (torch.minimum(columns + 1, torch.tensor(6.4)) - columns.clamp(min=x0)).clamp(min=0)
    torch.testing.assert_close(cover(vertices, faces, (10, 10))[0], area.expand(10, 10))
    flipped = vertices[..., [1, 0, 2]]
    torch.testing.assert_close(cover(flipped, faces, (10, 10))[0], area.expand(10, 10).T)


def test_a_slanted_edge_covers_its_area_in_each_row() -> None:
    vertices = torch.tensor([[[3.1, -1, 1], [8.9, 21, 1], [-400, 10, 1]]], dtype=F64)
    alpha = cover(vertices, torch.tensor([[0, 1, 2]]), (20, 20))
    rows = torch.arange(20, dtype=F64) + 0.5
    torch.testing.assert_close(alpha[0].sum(-1), 3.1 + (rows + 1) / 22 * 5.8)


def test_a_strip_thinner_than_a_pixel_keeps_its_area() -> None:
    vertices, faces = rectangle(4.3, -5, 4.7, 15)
    torch.testing.assert_close(cover(vertices, faces, (8, 10))[0, :, 4], torch.full((8,), 0.4, dtype=F64))


def test_inner_edges_and_hidden_ones_do_not_blend() -> None:
    # A big square of two faces before a small one: only the big one's outline shows.
    big, faces = rectangle(1.3, 1.3, 14.6, 14.6)
    small, _ = rectangle(4.3, 4.3, 9.6, 9.6, depth=2.0)
    both, all_faces = torch.cat([big, small], 1), torch.cat([faces, faces + 4])
    fragments = rasterize(both, all_faces, (16, 16))
    image = torch.rand(1, 16, 16, 3, dtype=F64)
    changed = (antialias(image, fragments, both, all_faces) != image).any(-1)[0]
    assert not changed[3:13, 3:13].any()
    assert changed[5, 1]
    assert changed[5, 14]


def test_a_face_in_front_ends_before_one_behind() -> None:
    near, faces = rectangle(4.7, -5, 30, 30)
    far, _ = rectangle(-5, -5, 30, 30, depth=3.0)
    vertices, all_faces = torch.cat([far, near], 1), torch.cat([faces, faces + 4])
    fragments = rasterize(vertices, all_faces, (6, 9))
    image = (fragments.face_id >= 2).to(F64)[..., None]
    row = antialias(image, fragments, vertices, all_faces)[0, 3, :, 0]
    torch.testing.assert_close(row, torch.tensor([0.0, 0, 0, 0, 0.3, 1, 1, 1, 1], dtype=F64))


def test_the_edge_may_belong_to_a_face_that_owns_no_pixel() -> None:
    # The square's right border is a sliver between two pixel centres.
    vertices, _ = rectangle(1.0, -5, 5.8, 15)
    inner = torch.tensor([[[5.6, -5.0, 1], [5.6, 15.0, 1]]], dtype=F64)
    faces = torch.tensor([[0, 1, 5], [0, 5, 4], [4, 5, 2], [4, 2, 3]])
    vertices = torch.cat([vertices, inner], 1)
    fragments = rasterize(vertices, faces, (8, 8))
    assert not (fragments.face_id >= 2).any()
    torch.testing.assert_close(cover(vertices, faces, (8, 8))[0, :, 5], torch.full((8,), 0.8, dtype=F64))


def shaded(vertices: Tensor, faces: Tensor, colours: Tensor, size: tuple[int, int], *, smooth: bool) -> Tensor:
    fragments = rasterize(vertices, faces, size)
    seen = (fragments.face_id >= 0).to(vertices.dtype)[..., None]
    image = torch.cat([interpolate(colours, fragments, faces), seen], -1)
    return antialias(image, fragments, vertices, faces) if smooth else image


def supersampled(vertices: Tensor, faces: Tensor, colours: Tensor, size: tuple[int, int], factor: int) -> Tensor:
    scale = torch.tensor([factor, factor, 1.0], dtype=vertices.dtype)
    fine = shaded(vertices * scale, faces, colours, (size[0] * factor, size[1] * factor), smooth=False)
    return fine.unflatten(1, (size[0], factor)).unflatten(3, (size[1], factor)).mean((2, 4))


@pytest.mark.parametrize("name", ["sphere", "torus"])
def test_gradient_along_smooth_deformations(name: str) -> None:
    """Against finite differences of images of 24 x 24 samples a pixel."""
    torch.manual_seed(0)
    mesh = icosphere(3) if name == "sphere" else torus()
    size = (48, 48)
    camera = Camera.look_at((0.9, 1.6, 3.2), image_size=size)
    camera = Camera(camera.world_to_camera.double(), camera.K.double(), size)
    points = mesh.vertices.double()
    colours = (0.5 + 0.5 * torch.sin(3 * points))[None]
    rows, columns = torch.meshgrid(*(torch.linspace(-2, 2, n, dtype=F64) for n in size), indexing="ij")
    weights = torch.stack([torch.sin(a * rows + b * columns + a) for a, b in ((1, 2), (2, 1), (1, -1), (-2, 1))], -1)

    def moved(parameters: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.sin(points @ parameters[:9].reshape(3, 3) + parameters[9:12])
        deformed = points * (1 + parameters[12:15]) + parameters[15:18] + 0.2 * low
        return project_mesh(mesh.with_vertices(deformed), camera)

    parameters = 0.3 * torch.randn(18, dtype=F64)
    leaf = parameters.clone().requires_grad_()
    (weights * shaded(*moved(leaf), colours, size, smooth=True)).sum().backward()
    numeric = torch.zeros(18, dtype=F64)
    step = 0.02
    for i in range(18):
        delta = torch.zeros(18, dtype=F64)
        delta[i] = step
        up, down = (supersampled(*moved(parameters + s * delta), colours, size, 24) for s in (1, -1))
        numeric[i] = (weights * (up - down)).sum() / (2 * step)
    assert leaf.grad is not None
    cosine = torch.nn.functional.cosine_similarity(leaf.grad, numeric, dim=0)
    assert cosine > 0.99
    assert leaf.grad.norm() / numeric.norm() == pytest.approx(1, abs=0.1)


def test_image_is_closer_to_a_supersampled_one() -> None:
    camera = Camera.look_at((0.9, 1.6, 3.2), image_size=(48, 48))
    vertices, faces = project_mesh(icosphere(3), camera)
    colours = torch.ones(1, vertices.shape[1], 1)
    exact = supersampled(vertices, faces, colours, (48, 48), 8)
    smooth = shaded(vertices, faces, colours, (48, 48), smooth=True)
    hard = shaded(vertices, faces, colours, (48, 48), smooth=False)
    assert (smooth - exact).square().mean() < 0.1 * (hard - exact).square().mean()


def test_corner_cases() -> None:
    vertices, faces = rectangle(0.2, 0.2, 0.9, 0.9)
    assert cover(vertices, faces, (1, 1)).item() == 1  # no neighbour to blend with
    assert not cover(vertices, torch.zeros(0, 3, dtype=torch.int64), (3, 3)).any()
    behind = vertices.clone()
    behind[0, 0, 2] = -1
    assert torch.isfinite(cover(behind, faces, (3, 3))).all()
    flat = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 0, 1], [1, 2, 2]])
    torch.testing.assert_close(cover(vertices, flat, (3, 3)), cover(vertices, faces, (3, 3)))


def test_errors_are_one_line() -> None:
    vertices, faces = rectangle(1, 1, 3, 3)
    fragments = rasterize(vertices, faces, (4, 4))
    with pytest.raises(ValueError, match="image: expected shape"):
        antialias(torch.zeros(1, 4, 5, 3, dtype=F64), fragments, vertices, faces)
    with pytest.raises(TypeError, match=r"image: expected torch\.float64"):
        antialias(torch.zeros(1, 4, 4, 3), fragments, vertices, faces)
    with pytest.raises(ValueError, match="screen_vertices: expected 1 views"):
        antialias(torch.zeros(1, 4, 4, 3, dtype=F64), fragments, vertices.expand(2, -1, -1), faces)
