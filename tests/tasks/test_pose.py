from __future__ import annotations

import pytest
import torch

from renderer.scene import Mesh, torus
from renderer.tasks import PoseSettings, estimate_pose
from renderer.tasks.parts import cover
from renderer.tasks.pose import PoseFit, first_poses
from renderer.tasks.pose_parameters import even_rotations, turn

QUICK = PoseSettings(fov_y=35.0, starts=16, steps=60, resolution=32)


def lopsided() -> Mesh:
    ring = torus(radius=0.8, tube=0.3)
    return ring.with_vertices(ring.vertices * (1 + 0.4 * ring.vertices[:, :1]))


def mask_of(mesh: Mesh) -> torch.Tensor:
    camera = first_poses(mesh, PoseSettings(fov_y=35.0, starts=3)).camera(mesh.bounds.mean(0), (48, 48))
    return cover(mesh, camera[[1]])[0].float()


def test_even_rotations_are_rotations() -> None:
    rotations = even_rotations(50)
    eye = torch.eye(3, dtype=torch.float64).expand(50, 3, 3)
    torch.testing.assert_close(rotations @ rotations.mT, eye)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(50, dtype=torch.float64))


def test_turn_about_z() -> None:
    x = turn(torch.tensor([[0.0, 0.0, torch.pi / 2]])) @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(x, torch.tensor([[0.0, 1.0, 0.0]]))


def test_finds_the_silhouette_and_reports_every_start() -> None:
    mesh = lopsided()
    made = estimate_pose(mesh, mask_of(mesh), settings=QUICK)
    assert made.iou > 0.9
    assert made.loss.shape == made.dropped.shape == (16,)
    assert (made.dropped >= 0).sum() == 12
    assert torch.isfinite(made.loss).all()


def test_going_on_gives_the_same_bits() -> None:
    mesh = lopsided()
    mask, states = mask_of(mesh), []
    whole = estimate_pose(mesh, mask, settings=QUICK, after_step=lambda fit: states.append(fit.state()))
    resumed = estimate_pose(mesh, mask, settings=QUICK, fit=PoseFit.of_state(states[13]))
    assert torch.equal(whole.camera.world_to_camera, resumed.camera.world_to_camera)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(8, 8), "empty mask"),
        (torch.ones(8, 8, 3), "expected a mask"),
        (torch.full((8, 8), 2.0), "from 0 to 1"),
        (torch.ones(8, 8, dtype=torch.float64), "as the mesh"),
    ],
)
def test_bad_images(image: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_pose(lopsided(), image, settings=QUICK)


@pytest.mark.parametrize(
    ("name", "value"), [("starts", 0), ("fov_y", 190.0), ("keep", 0.0), ("hops", 24), ("loss", "x")]
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        PoseSettings(**{"steps": 24, name: value})  # type: ignore[arg-type]
