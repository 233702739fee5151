"""Fit a closed mesh to silhouettes, coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh
from renderer.scene.remesh import remesh
from renderer.shading.soft_renderer import SoftRenderer
from renderer.tasks.attraction import Attraction
from renderer.tasks.bending import Bending
from renderer.tasks.visual_hull import pixel_size
from renderer.train.adam_uniform import AdamUniform
from renderer.train.large_steps import LargeSteps
from renderer.train.ranks import ALONE, Ranks

# A uniform perturbation of half-width ½ pixel is the box filter that antialiased masks were made with: an unbiased fit.
SCALE = 0.5
SMOOTH_RADIUS = 0.1  # of the object's size: what bends more sharply is hardly smoothed (see Bending)


@dataclass(frozen=True)
class Stage:
    """One level of the fit. Lengths are in pixels of the reduced image.

    reduction: image size divided by this. faces: share of the face limit. smoothness: weight of the bending energy
    against the silhouettes. scale: of the uniform perturbation. stiffness: λ of Large Steps. step_size: how far the
    vertices in most need move in a step. pull: weight of the attraction to a known surface.
    """

    reduction: int
    faces: float
    steps: int
    smoothness: float
    scale: float = SCALE
    stiffness: float = 2.0
    step_size: float = 1.5
    pull: float = 0.0


# Smoothness starts strong: where no view sees the outline, it replaces the ridges and flats of the hull by a surface
# that bends evenly. Then it yields to the silhouettes, and what no silhouette contradicts stays as it is.
STAGES = (
    Stage(reduction=2, faces=0.4, steps=120, smoothness=5e-3, scale=1.0),
    Stage(reduction=1, faces=0.95, steps=100, smoothness=1e-3),
    Stage(reduction=1, faces=0.95, steps=100, smoothness=1e-4),
    Stage(reduction=1, faces=1.0, steps=100, smoothness=3e-6, stiffness=0.2, step_size=0.7),
)
# A sphere has farther to go.
SPHERE_STAGES = (
    Stage(reduction=8, faces=0.05, steps=150, smoothness=5e-3, scale=2.0, stiffness=10.0),
    Stage(reduction=4, faces=0.15, steps=150, smoothness=5e-3, scale=1.0, stiffness=5.0),
    *STAGES,
)


def with_effort(stages: tuple[Stage, ...], effort: float) -> tuple[Stage, ...]:
    """The same stages with `effort` times as many steps, at least one each."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * effort))) for stage in stages)


@dataclass
class Fit:
    """Where a fit stands: all that a checkpoint needs, so that going on gives the same bits as never having stopped."""

    mesh: Mesh
    stage: int = 0
    step: int = 0
    latent: Tensor | None = None  # None: the stage has not begun
    optimizer: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """As tensors and plain values, for `save_checkpoint`."""
        state = {name: getattr(self, name) for name in ("stage", "step", "latent", "optimizer", "losses")}
        return {**state, "vertices": self.mesh.vertices, "faces": self.mesh.faces}

    @staticmethod
    def of_state(state: dict[str, Any], device: torch.device | str = "cpu") -> Fit:
        """The inverse of `state`, on a device."""
        state = dict(state)
        latent = state.pop("latent")
        mesh = Mesh(state.pop("vertices"), state.pop("faces")).to(device)
        # The optimiser moves its own tensors to those that it updates.
        return Fit(mesh, latent=None if latent is None else latent.to(device), **state)


def optimise(
    fit: Fit,
    masks: Float[Tensor, "N H W"],
    camera: Camera,
    *,
    stages: tuple[Stage, ...] = STAGES,
    max_faces: int = 20_000,
    views_per_step: int = 12,
    seed: int = 0,
    after_step: Callable[[Fit], None] = lambda fit: None,
    surface: Mesh | None = None,
    here: Ranks = ALONE,
) -> Mesh:
    """Move and remesh `fit.mesh` until its silhouettes are the masks; `fit` is updated after every step.

    The loss is the squared difference of outline coverage and mask, summed and divided by the length of the masks'
    outlines, plus smoothness times a bending energy, plus the attraction to `surface` in stages that pull.
    `after_step` is called with `fit`, and may stop by raising. The processes `here` share the views of each step and
    add up their gradients, so that all hold the same mesh.

    >>> mesh = optimise(Fit(visual_hull(masks, camera)), masks, camera)
    """
    while fit.stage < len(stages):
        stage = stages[fit.stage]
        renderer = SoftRenderer("uniform", scale=stage.scale, coverage="outline")
        targets, views = reduce_views(masks, camera, stage.reduction)
        outline = outline_length(targets)
        if fit.latent is None:
            fit.mesh = _remeshed(fit.mesh, round(stage.faces * max_faces), here)
        steps = LargeSteps(fit.mesh, stiffness=stage.stiffness)
        pixel = pixel_size(views, fit.mesh.vertices.mean(dim=0))
        bending = Bending(fit.mesh, radius=SMOOTH_RADIUS * float((fit.mesh.bounds[1] - fit.mesh.bounds[0]).norm()))
        attraction = None if surface is None else Attraction(fit.mesh, surface, pixel=pixel)
        latent = (steps.to_latent(fit.mesh.vertices) if fit.latent is None else fit.latent).requires_grad_()
        optimizer = AdamUniform([latent], lr=stage.step_size * pixel)
        if fit.optimizer:
            optimizer.load_state_dict(fit.optimizer)
        for step in range(fit.step, stage.steps):
            chosen = views_of_step(len(masks), views_per_step, step, seed=seed + fit.stage)
            optimizer.param_groups[0]["lr"] = stage.step_size * pixel * cooling(step / stage.steps)
            mesh = fit.mesh.with_vertices(steps.to_vertices(latent))
            mine = chosen[here.rank :: here.world]
            silhouettes = mesh.vertices.new_zeros(())
            if len(mine):  # there may be more processes than views
                difference = renderer.silhouette(mesh, views[mine]) - targets[mine]
                silhouettes = difference.square().sum() / (len(chosen) * outline)
            # Energies add up over the processes: each takes its part of those without views, too.
            loss = silhouettes + stage.smoothness / here.world * bending(mesh.vertices)
            if attraction is not None:
                loss = loss + stage.pull / here.world * attraction(mesh.vertices)
            (gradient,) = torch.autograd.grad(loss, [latent])
            latent.grad = here.sum(gradient)
            optimizer.step()
            fit.losses.append(float(here.sum(silhouettes.detach())))
            fit.step, fit.latent, fit.optimizer = step + 1, latent.detach(), optimizer.state_dict()
            after_step(fit)
        fit.mesh = fit.mesh.with_vertices(steps.to_vertices(latent).detach())
        fit.stage, fit.step, fit.latent, fit.optimizer = fit.stage + 1, 0, None, {}
    return fit.mesh


def _remeshed(mesh: Mesh, num_faces: int, here: Ranks) -> Mesh:
    """The first process remeshes for all, whose libraries may round differently."""

    def made() -> tuple[Tensor, Tensor]:
        result = remesh_to(mesh, num_faces)
        return result.vertices.cpu(), result.faces.cpu()  # a tensor is unpickled on the device that it comes from

    return Mesh(*here.from_first(made)).to(mesh.vertices.device)


def cooling(progress: float) -> float:
    """Factor of the step size: 1 in the first half of a stage, then down to nearly 0 along a cosine."""
    return 1.0 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))


def views_of_step(count: int, per_step: int, step: int, *, seed: int) -> Int[Tensor, "M"]:
    """The views of one step: all in turn, each round in a new order; a function of the step, so there is no state."""
    per_step = min(per_step, count)
    steps = -(-count // per_step)  # a whole round shows every view; the last step of a round may have fewer
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step // steps)
    start = (step % steps) * per_step
    return torch.randperm(count, generator=generator, device="cpu")[start : start + per_step]


def reduce_views(masks: Float[Tensor, "N H W"], camera: Camera, factor: int) -> tuple[Float[Tensor, "N h w"], Camera]:
    """Masks averaged over blocks of about factor × factor pixels, as the size allows, and their cameras."""
    if factor == 1:
        return masks, camera
    reduced = reduce_images(masks.unsqueeze(-1), factor).squeeze(-1)
    return reduced, camera.resize((reduced.shape[1], reduced.shape[2]))


def reduce_images(images: Float[Tensor, "N H W C"], factor: int) -> Float[Tensor, "N h w C"]:
    """Images averaged as `reduce_views` does masks."""
    if factor == 1:
        return images
    size = (max(1, images.shape[1] // factor), max(1, images.shape[2] // factor))
    return torch.nn.functional.interpolate(images.movedim(-1, 1), size=size, mode="area").movedim(1, -1)


def fit_views(masks: Float[Tensor, "N H W"], camera: Camera, max_size: int) -> tuple[Float[Tensor, "N h w"], Camera]:
    """Masks and cameras at the size of the fit: reduced by `whole_factor`."""
    return reduce_views(masks, camera, whole_factor(masks, max_size))


def whole_factor(masks: Float[Tensor, "N H W"], max_size: int) -> int:
    """The least whole factor by which images have to be reduced to fit `max_size`."""
    return -(-max(masks.shape[1:]) // max_size)


def outline_length(masks: Float[Tensor, "N H W"]) -> float:
    """Mean length of the masks' outlines in pixels: their total variation, the same with or without antialiasing."""
    variation = masks.diff(dim=1).abs().sum() + masks.diff(dim=2).abs().sum()
    return float(variation / len(masks))


def remesh_to(mesh: Mesh, num_faces: int) -> Mesh:
    """Remesh with at most `num_faces` faces of about equal size, and not many fewer."""
    edge_length = math.sqrt(4 / math.sqrt(3) * float(mesh.face_areas.sum()) / num_faces)
    # How the number of faces follows from the edge length is known only afterwards: the second try aims just below.
    result = remesh(mesh, edge_length)
    if result.num_faces < 0.95 * num_faces:
        edge_length *= math.sqrt(result.num_faces / num_faces) * 1.01
        result = remesh(mesh, edge_length)
    while result.num_faces > num_faces:
        edge_length *= math.sqrt(result.num_faces / num_faces) * 1.01
        result = remesh(mesh, edge_length)
    return result
