from __future__ import annotations

import pytest
import torch
from torch import Tensor

from renderer.scene import Mesh, cube, icosphere, torus
from renderer.scene.voxels import voxel_iou, voxelize


def grid(resolution: int) -> Tensor:
    """Positions (R, R, R, 3) of the points."""
    axis = (torch.arange(resolution) - (resolution - 1) / 2) / (resolution - 1)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


@pytest.mark.parametrize("resolution", [2, 17, 32])
def test_sphere(resolution: int) -> None:
    expected = grid(resolution).norm(dim=-1) < 0.4
    assert torch.equal(voxelize(icosphere(5, radius=0.4), resolution), expected)


def test_axes_are_x_y_z() -> None:
    box = cube(size=1.0)
    low, high = torch.tensor([-0.3, -0.2, -0.45]), torch.tensor([0.1, 0.4, 0.3])
    box = box.with_vertices(torch.where(box.vertices < 0, low, high))
    points = grid(32)
    assert torch.equal(voxelize(box, 32), ((points > low) & (points < high)).all(-1))


def test_a_hole_stays_open_and_a_batch_is_each_of_its_meshes() -> None:
    ring = torus(radius=0.3, tube=0.1)
    voxels = voxelize(ring, 33)
    assert not voxels[16, 16, 16]
    assert voxels.sum() == pytest.approx(ring.volume.item() * 32**3, rel=0.05)
    turned = ring.vertices.roll(1, dims=-1)
    both = voxelize(ring.with_vertices(torch.stack([ring.vertices, turned])), 33)
    assert torch.equal(both[0], voxels)
    assert torch.equal(both[1], voxelize(ring.with_vertices(turned), 33))
    assert not torch.equal(both[0], both[1])


def test_overlapping_parts_add_up_and_orientation_does_not_matter() -> None:
    ball = icosphere(3, radius=0.2)
    shift = torch.tensor([0.1, 0.05, 0.0])
    two = Mesh(
        torch.cat([ball.vertices - shift, ball.vertices + shift]),
        torch.cat([ball.faces, ball.faces + ball.num_vertices]),
    )
    parts = [voxelize(ball.with_vertices(ball.vertices + sign * shift)) for sign in (-1, 1)]
    assert torch.equal(voxelize(two), parts[0] | parts[1])
    assert torch.equal(voxelize(Mesh(two.vertices, two.faces.flip(1))), parts[0] | parts[1])


def test_what_reaches_out_of_the_cube_is_cut() -> None:
    assert voxelize(icosphere(2, radius=3.0), 8).all()
    assert not voxelize(icosphere(2, radius=0.1).with_vertices(icosphere(2, radius=0.1).vertices + 2.0), 8).any()


def test_iou() -> None:
    one, other = torch.zeros(3, 4, 4, 4, dtype=torch.bool), torch.zeros(3, 4, 4, 4, dtype=torch.bool)
    one[0, :2], other[0, 1:3] = True, True
    one[1] = True
    assert voxel_iou(one, other).tolist() == pytest.approx([1 / 3, 0.0, 1.0])


def test_errors() -> None:
    with pytest.raises(ValueError, match="resolution: expected at least 2"):
        voxelize(cube(), 1)
    with pytest.raises(ValueError, match="mesh: expected a watertight mesh"):
        voxelize(Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])))
