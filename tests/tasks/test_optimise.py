from __future__ import annotations

import pytest
import torch

from renderer.scene import Mesh, Views, icosphere, torus
from renderer.tasks.bending import Bending
from renderer.tasks.optimise import (
    Fit,
    Stage,
    cooling,
    fit_views,
    optimise,
    outline_length,
    reduce_views,
    remesh_to,
    views_of_step,
    with_effort,
)
from renderer.tasks.scores import silhouette_ious
from renderer.tasks.visual_hull import pixel_size
from tests.tasks.conftest import views_of

STAGES = (
    Stage(reduction=2, faces=0.5, steps=8, smoothness=1e-3),
    Stage(reduction=1, faces=0.9, steps=8, smoothness=1e-5),
)


def test_a_ball_grows_to_its_masks() -> None:
    views = views_of(icosphere(4, radius=0.9))
    stages = (Stage(reduction=1, faces=0.9, steps=60, smoothness=1e-4),)
    mesh = optimise(Fit(icosphere(3, radius=0.7)), views.masks, views.camera, stages=stages, max_faces=1000)
    assert mesh.is_watertight
    assert mesh.num_faces <= 1000
    assert float(silhouette_ious(mesh, views).mean()) > 0.975  # the ball itself has 0.987
    assert abs(float(mesh.vertices.norm(dim=1).mean()) - 0.9) < 0.01


@pytest.mark.parametrize("stop", [1, 5, 8, 11, 16])
def test_going_on_from_any_step_gives_the_same_bits(ring: Mesh, ring_views: Views, stop: int) -> None:
    masks, camera = ring_views.masks, ring_views.camera
    whole = Fit(ring)
    end = optimise(whole, masks, camera, stages=STAGES, max_faces=600, views_per_step=3)

    class Enough(Exception):
        pass

    def after_step(fit: Fit) -> None:
        if len(fit.losses) == stop:
            raise Enough

    first = Fit(ring)
    with pytest.raises(Enough):
        optimise(first, masks, camera, stages=STAGES, max_faces=600, views_per_step=3, after_step=after_step)
    second = Fit.of_state(first.state())
    again = optimise(second, masks, camera, stages=STAGES, max_faces=600, views_per_step=3)
    assert torch.equal(again.vertices, end.vertices)
    assert torch.equal(again.faces, end.faces)
    assert second.losses == whole.losses


def test_every_view_is_seen_once_a_round() -> None:
    for count, per_step in ((24, 12), (10, 4), (3, 12)):
        steps = -(-count // per_step)
        for turn in range(3):
            seen = torch.cat([views_of_step(count, per_step, turn * steps + i, seed=5) for i in range(steps)])
            assert sorted(seen.tolist()) == list(range(count))
    assert not torch.equal(views_of_step(24, 12, 0, seed=0), views_of_step(24, 12, 2, seed=0))


def test_reduced_views_show_the_same_picture(ring_views: Views) -> None:
    masks, camera = reduce_views(ring_views.masks, ring_views.camera, 2)
    assert masks.shape == (8, 32, 32)
    assert camera.image_size == (32, 32)
    assert torch.allclose(masks.mean(dim=(1, 2)), ring_views.masks.mean(dim=(1, 2)), atol=1e-6)
    odd, camera = reduce_views(ring_views.masks[:, :63, :61], ring_views.camera.resize((63, 61)), 4)
    assert odd.shape[1:] == camera.image_size == (15, 15)
    assert fit_views(ring_views.masks, ring_views.camera, 64)[0] is ring_views.masks
    assert fit_views(ring_views.masks, ring_views.camera, 63)[0].shape == (8, 32, 32)


def test_outline_length_does_not_depend_on_antialiasing(ring_views: Views) -> None:
    hard = (ring_views.masks > 0.5).float()
    assert outline_length(ring_views.masks) == pytest.approx(outline_length(hard), rel=0.05)


def test_remesh_to_stays_within_the_limit() -> None:
    for mesh in (icosphere(2), torus(radius=1.0, tube=0.1)):
        result = remesh_to(mesh, 1000)
        assert 700 < result.num_faces <= 1000


def test_cooling_and_effort() -> None:
    assert cooling(0.0) == cooling(0.4) == 1.0
    assert 0 < cooling(0.99) < 0.01
    assert [stage.steps for stage in with_effort(STAGES, 0.25)] == [2, 2]
    assert [stage.steps for stage in with_effort(STAGES, 0.001)] == [1, 1]


def test_bending_of_a_sphere_depends_neither_on_size_nor_on_resolution() -> None:
    energies = []
    for level, radius in ((3, 1.0), (4, 1.0), (4, 50.0)):
        ball = icosphere(level, radius=radius)
        energies.append(float(Bending(ball, radius=1e-9)(ball.vertices)))
    assert energies[1] == pytest.approx(energies[2], rel=1e-3)
    assert energies[0] == pytest.approx(energies[1], rel=0.3)  # an icosphere is not even: δ is partly tangential
    assert energies[0] == pytest.approx(4 * torch.pi / (2 * 3**0.5), rel=0.3)  # ∫H² / (2√3), H = 1/radius


def test_bending_measures_the_curvature_and_spares_thin_parts() -> None:
    ball = icosphere(4, radius=2.0)
    weights = Bending(ball, radius=4.0).weights
    assert float(weights.mean()) == pytest.approx(1 / (1 + 2.0**3), rel=0.1)
    thin, thick = torus(radius=1.0, tube=0.05, segments=100, sides=6), torus(radius=1.0, tube=0.5)
    assert float(Bending(thin, radius=0.3).weights.mean()) < 0.1 < float(Bending(thick, radius=0.3).weights.mean())


def test_bending_gradcheck() -> None:
    ball = icosphere(1).to(torch.float64)
    bending = Bending(ball, radius=0.5)
    assert torch.autograd.gradcheck(bending, ball.vertices.clone().requires_grad_())


def test_pixel_size_in_the_middle(ring_views: Views) -> None:
    screen = ring_views.camera.project(torch.tensor([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0]]))
    widest = (screen[:, 1] - screen[:, 0])[:, :2].norm(dim=1).max()
    assert pixel_size(ring_views.camera, torch.zeros(3)) == pytest.approx(0.01 / float(widest), rel=0.05)
