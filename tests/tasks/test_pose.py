from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from renderer.scene import Camera, Mesh, torus
from renderer.tasks import PoseSettings, estimate_pose
from renderer.tasks.parts import cover
from renderer.tasks.pose import distinct, first_poses, refining
from renderer.tasks.pose_fit import PoseFit
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
    # A quarter is fitted to the end, and of these the different ones are refined.
    assert (made.dropped == 20).sum() == 12
    assert set(made.dropped.tolist()) <= {20, 60, -1}
    assert torch.isfinite(made.loss).all()
    assert len(made.losses) == 60 + 40
    assert len(made.candidates) <= int((made.dropped < 0).sum())
    assert torch.equal(made.camera.world_to_camera, made.starts.world_to_camera[made.candidates[0]])


def test_refinement_is_nearer_to_the_mask() -> None:
    mesh = lopsided()
    camera = Camera.orbit(4.5, 35.0, 50.0, image_size=(150, 205), fov_y=35.0)
    mask = cover(mesh, Camera.stack([camera]))[0].float()
    rough = estimate_pose(mesh, mask, settings=replace(QUICK, refine_steps=0))
    fine = estimate_pose(mesh, mask, settings=QUICK)
    assert fine.iou > 0.99 > rough.iou
    # The ring is its own mirror image in two planes; up to these it is the camera that took the picture, within 4°.
    mirror = torch.tensor([[1.0, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]])
    assert float((fine.camera.centre - mirror * camera.centre).norm(dim=1).min()) < 0.07 * 4.5


def test_units_and_place_of_the_mesh_do_not_matter() -> None:
    mesh = lopsided()
    small = mesh.with_vertices(1e-3 * mesh.vertices + torch.tensor([0.0, 0.5, 0.0]))
    mask = mask_of(mesh)
    settings = replace(QUICK, starts=4, steps=20, refine_steps=5, distance=4.5)
    one = estimate_pose(mesh, mask, settings=settings)
    other = estimate_pose(small, mask, settings=replace(settings, distance=4.5e-3))
    assert other.iou == pytest.approx(one.iou, abs=0.02)
    assert float((other.camera.centre - small.bounds.mean(0)).norm()) == pytest.approx(4.5e-3, rel=0.05)
    torch.testing.assert_close(
        other.camera.world_to_camera[:3, :3], one.camera.world_to_camera[:3, :3], atol=0.02, rtol=0
    )


def test_distinct_keeps_the_better_of_equal_rotations() -> None:
    turns = turn(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.05, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    loss = torch.tensor([0.3, 0.2, 0.5, 0.1])
    assert distinct(turns, loss, torch.tensor([True, True, True, False])) == [1, 2]


def test_what_the_refinement_scales_are() -> None:
    mask = torch.zeros(100, 400)
    plain, squared = refining(QUICK, mask), refining(replace(QUICK, squared=True), mask)
    assert plain.first_scale * 128 == pytest.approx(1.5)  # 256 pixels wide
    assert squared.first_scale * 128**2 == pytest.approx(1.5**2)


def test_going_on_gives_the_same_bits() -> None:
    mesh = lopsided()
    mask, states = mask_of(mesh), []
    settings = replace(QUICK, starts=8, steps=18, refine_steps=6, finalists=2)
    whole = estimate_pose(mesh, mask, settings=settings, after_step=lambda fit: states.append(fit.state()))
    for step in (10, 17, 18, 22):  # within the first fit, its last step, the first of the refinement, and within it
        resumed = estimate_pose(mesh, mask, settings=settings, fit=PoseFit.of_state(states[step]))
        assert torch.equal(whole.camera.world_to_camera, resumed.camera.world_to_camera)
        assert torch.equal(whole.loss, resumed.loss)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(8, 8), "empty mask"),
        (torch.ones(8, 8), "covers everything"),
        (torch.ones(8, 8, 3), "expected a mask"),
        (torch.full((8, 8), 2.0), "from 0 to 1"),
        (torch.ones(8, 8, dtype=torch.float64), "as the mesh"),
    ],
)
def test_bad_images(image: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_pose(lopsided(), image, settings=QUICK)


@pytest.mark.parametrize(
    ("name", "value"), [("starts", 0), ("fov_y", 190.0), ("keep", 0.0), ("hops", 24), ("loss", "x"), ("finalists", 0)]
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        PoseSettings(**{"steps": 24, name: value})  # type: ignore[arg-type]
