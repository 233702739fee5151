"""Attributes follow the faces through clipping, at the near plane and the far one."""

from __future__ import annotations

import pytest
import torch

from renderer.raster.clip import clip, clip_attributes
from renderer.scene import icosphere


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Two views of a sphere in camera axes that reach through both planes, differently."""
    mesh = icosphere(2, dtype=torch.float64)
    centre = torch.tensor([[[0.1, 0.0, 1.0]], [[0.0, 0.2, 1.6]]], dtype=torch.float64)
    return mesh.vertices + centre, mesh.faces


def drawn(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    return (vertices[:, faces, 2] > 0).all(-1)


@pytest.mark.parametrize(("near", "far"), [(0.5, None), (0.5, 1.7), (1e-3, 1.5), (1e-3, None), (1e-3, 10.0)])
def test_positions_as_attributes_stay_positions(near: float, far: float | None) -> None:
    vertices, faces = scene()
    clipped, new_faces, cuts = clip(vertices, faces, near=near, far=far)
    carried, rows = clip_attributes(vertices, faces, cuts)
    seen = drawn(clipped, new_faces)
    torch.testing.assert_close(carried[:, rows][seen], clipped[:, new_faces][seen], atol=1e-12, rtol=0)
    z = clipped[:, new_faces][seen][..., 2]
    assert z.min() >= near - 1e-12
    assert far is None or z.max() <= far + 1e-12


def test_area_in_front_of_both_planes() -> None:
    vertices, faces = scene()
    near, far = 0.5, 1.7
    clipped, new_faces, _ = clip(vertices, faces, near=near, far=far)

    def area(v: torch.Tensor, f: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        a, b, c = v[:, f].unbind(-2)
        return (torch.linalg.cross(b - a, c - a).norm(dim=-1) / 2 * weight).sum(-1)

    # The zone of a sphere between two planes has area 2π r h; the mesh is a little inside it.
    total = area(clipped, new_faces, drawn(clipped, new_faces).double())
    heights = torch.tensor([far - near, far - 0.6], dtype=torch.float64)
    torch.testing.assert_close(total, 2 * torch.pi * heights, rtol=0.03, atol=0)


def test_separate_rows_and_gradients() -> None:
    vertices, faces = scene()
    rows = torch.arange(faces.numel()).reshape(-1, 3)
    values = vertices[:, faces].flatten(1, 2)
    clipped, new_faces, cuts = clip(vertices, faces, near=0.5, far=1.7)
    carried, new_rows = clip_attributes(values, rows, cuts)
    seen = drawn(clipped, new_faces)
    torch.testing.assert_close(carried[:, new_rows][seen], clipped[:, new_faces][seen], atol=1e-12, rtol=0)
    small = torch.tensor([[[0.0, 0.0, 0.2], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0]]], dtype=torch.float64)
    one = torch.tensor([[0, 1, 2]])

    def run(v: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        _, _, cuts = clip(v, one, near=0.5, far=1.7)
        carried, new_rows = clip_attributes(a, one, cuts)
        return carried[:, new_rows]

    attributes = torch.rand(1, 3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(run, (small.requires_grad_(), attributes.requires_grad_()))


def test_a_lower_vertex_on_the_plane_itself() -> None:
    # Its cut is the vertex: t = 0 along the edge from it, 1 along the edge to it.
    vertices = torch.tensor([[[0.0, 0.0, 0.5], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    faces = torch.tensor([[0, 1, 2], [1, 0, 2]])
    clipped, new_faces, cuts = clip(vertices, faces, near=0.5)
    carried, rows = clip_attributes(vertices, faces, cuts)
    torch.testing.assert_close(carried[:, rows], clipped[:, new_faces])


def test_nothing_to_cut_returns_the_arguments() -> None:
    vertices, faces = scene()
    vertices = vertices + 1
    clipped, new_faces, cuts = clip(vertices, faces, near=1e-6, far=100.0)
    assert (clipped is vertices, new_faces is faces, cuts) == (True, True, ())
    values, rows = clip_attributes(vertices, faces, ())
    assert values is vertices
    assert rows is faces


def test_far_before_near() -> None:
    vertices, faces = scene()
    with pytest.raises(ValueError, match=r"^far: expected more than near = 1.0, got 0.5$"):
        clip(vertices, faces, near=1.0, far=0.5)
