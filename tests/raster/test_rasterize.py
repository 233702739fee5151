"""Hard visibility: layers, culling, derivatives, exact borders, corner cases and errors."""

from __future__ import annotations

import pytest
import torch

from renderer import Camera
from renderer.raster import interpolate, project_mesh, rasterize
from renderer.scene.primitives import icosphere


def test_layers_of_a_closed_surface_come_in_pairs() -> None:
    camera = Camera.look_at((0.4, 0.7, 3.0), image_size=(40, 48))
    vertices, faces = project_mesh(icosphere(2), camera)
    front = rasterize(vertices, faces, (40, 48))
    back = rasterize(vertices, faces, (40, 48), behind=front.depth)
    seen = front.face_id >= 0
    assert torch.equal(back.face_id >= 0, seen)
    assert (back.depth > front.depth)[seen].all()
    assert (rasterize(vertices, faces, (40, 48), behind=back.depth).face_id == -1).all()
    assert torch.equal(rasterize(vertices, faces, (40, 48), cull_back_faces=True).face_id, front.face_id)
    inside_out = rasterize(vertices, faces.flip(1), (40, 48), cull_back_faces=True)
    assert torch.equal(inside_out.face_id, back.face_id)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("perspective", [True, False])
def test_no_layer_finds_itself_again(dtype: torch.dtype, perspective: bool) -> None:
    torch.manual_seed(0)
    xyz = torch.cat([torch.rand(1, 600, 2) * 70 - 3, 1 + torch.rand(1, 600, 1)], -1).to(dtype)
    faces = torch.arange(600).reshape(-1, 3)
    fragments = rasterize(xyz, faces, (64, 64), perspective=perspective)
    while (fragments.face_id >= 0).any():
        behind = rasterize(xyz, faces, (64, 64), perspective=perspective, behind=fragments.depth)
        both = (behind.face_id >= 0) & (fragments.face_id >= 0)
        assert (behind.depth > fragments.depth)[both].all()
        assert not (behind.face_id >= 0)[fragments.face_id < 0].any()
        assert not (behind.face_id == fragments.face_id)[both].any()
        fragments = behind


def test_faces_that_meet_leave_no_gap_and_do_not_overlap() -> None:
    # A fan around a point; with depth peeling, a second layer would show an overlap.
    torch.manual_seed(1)
    angles = torch.linspace(0, 2 * torch.pi, 38)[:-1]
    rim = 40 + 39 * torch.stack([angles.cos(), angles.sin()], -1)
    xy = torch.cat([rim, torch.tensor([[37.3, 41.9]])])
    vertices = torch.cat([xy, torch.ones(38, 1)], -1)[None]
    faces = torch.tensor([[i, (i + 1) % 37, 37] for i in range(37)])
    fragments = rasterize(vertices, faces, (80, 80))
    rows, columns = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    inside = (rows - 40).square() + (columns - 40).square() < 38.8**2
    assert (fragments.face_id[0] >= 0)[inside].all()
    assert fragments.barycentrics.min() > -1e-6


def test_vertices_far_outside_the_image_lose_no_precision() -> None:
    # x = 10.25 is an edge of a triangle that reaches a million pixels away.
    vertices = torch.tensor([[[10.25, -1e6, 1.0], [10.25, 1e6, 1.0], [1e6, 0.0, 1.0]]])
    seen = rasterize(vertices, torch.tensor([[0, 1, 2]]), (16, 16)).face_id[0] >= 0
    assert not seen[:, :10].any()
    assert seen[:, 10:].all()


@pytest.mark.parametrize("perspective", [True, False])
def test_derivatives_are_those_of_the_plane(perspective: bool) -> None:
    vertices = torch.tensor([[[1.1, 2.2, 1], [30.3, 4.1, 3], [7.4, 28.3, 2]]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2]])
    step = 1e-5

    def shifted(dx: float, dy: float) -> torch.Tensor:
        moved = vertices - torch.tensor([dx, dy, 0], dtype=torch.float64)
        return rasterize(moved, faces, (32, 32), perspective=perspective).barycentrics

    fragments = rasterize(vertices, faces, (32, 32), perspective=perspective, derivatives=True)
    dx = (shifted(step, 0) - shifted(-step, 0)) / (2 * step)
    dy = (shifted(0, step) - shifted(0, -step)) / (2 * step)
    torch.testing.assert_close(fragments.derivatives, torch.stack([dx, dy], -1), rtol=1e-6, atol=1e-8)
    attributes = torch.rand(1, 3, 2, dtype=torch.float64)
    _, slopes = interpolate(attributes, fragments, faces, derivatives=True)
    torch.testing.assert_close(slopes, torch.einsum("bhwkx,kc->bhwcx", fragments.derivatives, attributes[0]))


def test_derivatives_and_depth_are_differentiable() -> None:
    vertices = torch.tensor(
        [[[1.1, 2.2, 1], [11.37, 4.12, 3], [7.41, 9.33, 2]]], dtype=torch.float64, requires_grad=True
    )
    faces = torch.tensor([[0, 1, 2]])

    def outputs(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fragments = rasterize(v, faces, (10, 12), derivatives=True)
        return fragments.depth, fragments.derivatives

    depth, slopes = outputs(vertices)
    weights = torch.rand_like(depth), torch.rand_like(slopes)
    ((weights[0] * depth).sum() + (weights[1] * slopes).sum()).backward()
    for i in range(9):
        step = torch.zeros(9, dtype=torch.float64)
        step[i] = 1e-6
        step = step.reshape(1, 3, 3)
        with torch.no_grad():
            up, down = outputs(vertices + step), outputs(vertices - step)
        slope = sum((w * (u - d)).sum() for w, u, d in zip(weights, up, down, strict=True)) / 2e-6
        torch.testing.assert_close(vertices.grad.flatten()[i], slope, rtol=1e-5, atol=1e-6)


def test_empty_one_pixel_and_behind_the_camera() -> None:
    vertices = torch.tensor([[[-5.0, -5, 1], [9, -5, 1], [-5, 9, 1], [0, 0, -1]]])
    one = rasterize(vertices, torch.tensor([[0, 1, 2]]), (1, 1), derivatives=True)
    assert one.face_id.tolist() == [[[0]]]
    nothing = rasterize(vertices, torch.tensor([[0, 1, 3]]), (2, 3), derivatives=True)
    assert (nothing.face_id == -1).all()
    assert not any(t.any() for t in nothing[1:])
    empty = rasterize(vertices, torch.zeros(0, 3, dtype=torch.int64), (2, 3), derivatives=True)
    assert (empty.face_id == -1).all()
    assert empty.derivatives is not None
    assert empty.derivatives.shape == (1, 2, 3, 3, 2)
    assert not interpolate(torch.rand(1, 4, 2), empty, torch.zeros(0, 3, dtype=torch.int64)).any()


def test_zero_area_faces_are_not_drawn_and_give_no_nan() -> None:
    vertices = torch.tensor([[[1.0, 1, 1], [9, 9, 1], [5, 5, 1], [9, 1, 1]]], requires_grad=True)
    fragments = rasterize(vertices, torch.tensor([[0, 1, 2], [0, 1, 3]]), (10, 10), derivatives=True)
    assert set(fragments.face_id.unique().tolist()) == {-1, 1}
    assert fragments.derivatives is not None
    (fragments.barycentrics.square().sum() + fragments.derivatives.square().sum() + fragments.depth.sum()).backward()
    assert vertices.grad is not None
    assert torch.isfinite(vertices.grad).all()


@pytest.mark.slow  # a gigabyte of faces
def test_face_numbers_are_integers() -> None:
    # More faces than float32 can number (2^24); all but the last lie outside the image.
    count = 2**24 + 3
    faces = torch.zeros(count, 3, dtype=torch.int64)
    faces[-1] = torch.tensor([0, 1, 2])
    vertices = torch.tensor([[[-5.0, -5, 1], [9, -5, 1], [-5, 9, 1]]])
    assert rasterize(vertices, faces, (1, 1)).face_id.item() == count - 1


def test_errors_are_one_line() -> None:
    vertices, faces = torch.ones(1, 3, 3), torch.tensor([[0, 1, 2]])
    with pytest.raises(ValueError, match=r"behind: expected torch\.float32 of shape"):
        rasterize(vertices, faces, (4, 4), behind=torch.zeros(1, 4, 5))
    with pytest.raises(ValueError, match="faces: face 0 refers to vertex 7"):
        rasterize(vertices, torch.tensor([[0, 1, 7]]), (4, 4))
    fragments = rasterize(vertices, faces, (4, 4))
    with pytest.raises(ValueError, match="fragments: expected derivatives"):
        interpolate(torch.ones(1, 3, 2), fragments, faces, derivatives=True)
    with pytest.raises(ValueError, match="attributes: expected shape"):
        interpolate(torch.ones(2, 3, 2), fragments, faces)
    with pytest.raises(TypeError, match=r"attributes: expected torch\.float32"):
        interpolate(torch.ones(1, 3, 2, dtype=torch.float64), fragments, faces)
    with pytest.raises(TypeError, match="attribute_faces: expected int64"):
        interpolate(torch.ones(1, 3, 2), fragments, faces.int())
