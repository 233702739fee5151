"""Refine a mesh by the colours of its pictures: shading sees the hollows that silhouettes cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from renderer.raster.antialias import antialias
from renderer.raster.interpolate import interpolate
from renderer.raster.project import project_mesh
from renderer.raster.rasterize import rasterize
from renderer.scene.camera import Camera
from renderer.scene.colours import srgb_from_linear
from renderer.scene.lights import SphericalHarmonicsLight
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.shading.reflection import unit
from renderer.shading.soft_renderer import SoftRenderer
from renderer.tasks.bending import Bending
from renderer.tasks.optimise import SMOOTH_RADIUS, cooling, outline_length, reduce_views, remesh_to, views_of_step
from renderer.tasks.surface_pixels import OPAQUE
from renderer.tasks.texture import LIGHT_TERMS, unit_lights
from renderer.tasks.visual_hull import pixel_size
from renderer.train.adam_uniform import AdamUniform
from renderer.train.large_steps import LargeSteps

COLOUR_WEIGHT = 10.0  # of the colours against the silhouettes, both per pixel of their own kind
DELTA = 0.02  # sRGB difference from which on the error counts linearly: shadows and highlights bend the fit less
GREY = 0.6  # albedo to begin with; only its product with the light can be seen
ALBEDO_STEP = 0.02  # of Adam, for the logarithm of the albedo
FORGETTING = 0.9  # the light is that of the last ten steps or so
LIGHT_SAMPLES = 20_000  # pixels a step that the light is estimated from


@dataclass(frozen=True)
class ColourStage:
    """One level of the refinement. Lengths are in pixels of the reduced image.

    reduction, faces, steps, smoothness, scale, stiffness, step_size: as in `renderer.tasks.optimise.Stage`.
    flatness: weight of the albedo's total variation, by which colour that shading can explain is left to the shape.
    """

    reduction: int
    faces: float
    steps: int
    smoothness: float
    flatness: float
    scale: float = 0.7
    stiffness: float = 5.0
    step_size: float = 0.7


# The albedo is all but constant at first, so that shading moves the shape; later it may differ where it must.
COLOUR_STAGES = (
    ColourStage(reduction=4, faces=0.1, steps=250, smoothness=3e-4, flatness=3.0),
    ColourStage(reduction=2, faces=0.3, steps=250, smoothness=1e-4, flatness=1.0),
    ColourStage(reduction=2, faces=0.5, steps=200, smoothness=3e-5, flatness=0.3),
    ColourStage(reduction=1, faces=1.0, steps=120, smoothness=3e-5, flatness=0.1, scale=0.5, step_size=0.5),
)


def with_colour_effort(stages: tuple[ColourStage, ...], effort: float) -> tuple[ColourStage, ...]:
    """The same stages with `effort` times as many steps, at least one each."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * effort))) for stage in stages)


@dataclass
class ColourFit:
    """Where a refinement stands: all that a checkpoint needs.

    log_albedo: (V, 3) of the vertices. moments (3, 9, 9) and responses (3, 9): the normal equations of the light.
    """

    mesh: Mesh
    log_albedo: Tensor | None = None
    stage: int = 0
    step: int = 0
    latent: Tensor | None = None  # None: the stage has not begun
    optimizer: dict[str, Any] = field(default_factory=dict)
    albedo_optimizer: dict[str, Any] = field(default_factory=dict)
    moments: Tensor = field(default_factory=lambda: torch.zeros(3, LIGHT_TERMS, LIGHT_TERMS, dtype=torch.float64))
    responses: Tensor = field(default_factory=lambda: torch.zeros(3, LIGHT_TERMS, dtype=torch.float64))
    losses: list[float] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """As tensors and plain values, for `save_checkpoint`."""
        state = {key: value for key, value in vars(self).items() if key != "mesh"}
        return {**state, "vertices": self.mesh.vertices, "faces": self.mesh.faces}

    @staticmethod
    def of_state(state: dict[str, Any]) -> ColourFit:
        """The inverse of `state`."""
        state = dict(state)
        return ColourFit(Mesh(state.pop("vertices"), state.pop("faces")), **state)


class MattPicture(NamedTuple):
    """Premultiplied linear RGB and coverage, and what was seen where."""

    rgba: Float[Tensor, "B H W 4"]
    normals: Float[Tensor, "B H W 3"]
    albedo: Float[Tensor, "B H W 3"]


def refine(
    fit: ColourFit,
    views: Views,
    *,
    stages: tuple[ColourStage, ...] = COLOUR_STAGES,
    max_faces: int = 20_000,
    views_per_step: int = 12,
    seed: int = 0,
    after_step: Callable[[ColourFit], None] = lambda fit: None,
) -> Mesh:
    """Move and remesh `fit.mesh` until its pictures are those of `views`; `fit` is updated after every step.

    The surface is matt: colour = albedo · light(normal), the albedo by vertex, the light in nine spherical harmonics
    that are solved for in every step. The loss is Huber's of the sRGB colours over black, plus the squared difference
    of silhouettes and masks, a bending energy, and the total variation of the albedo along the edges. Returns the mesh
    with `vertex_colours`; the light is `light_of(fit)`. `after_step` may stop by raising.

    >>> mesh = refine(ColourFit(silhouette_mesh), load_views("scenes/pumice", images=True))
    """
    assert views.images is not None
    while fit.stage < len(stages):
        stage = stages[fit.stage]
        masks, colours, camera = reduce_pictures(views, stage.reduction)
        outline, area = outline_length(masks), float(masks.sum() / len(masks))
        if fit.latent is None:
            fit.mesh, fit.log_albedo = remeshed(fit.mesh, fit.log_albedo, round(stage.faces * max_faces))
        assert fit.log_albedo is not None
        steps = LargeSteps(fit.mesh, stiffness=stage.stiffness)
        pixel = pixel_size(camera, fit.mesh.vertices.mean(dim=0))
        bending = Bending(fit.mesh, radius=SMOOTH_RADIUS * float((fit.mesh.bounds[1] - fit.mesh.bounds[0]).norm()))
        latent = (steps.to_latent(fit.mesh.vertices) if fit.latent is None else fit.latent).requires_grad_()
        log_albedo = fit.log_albedo.clone().requires_grad_()
        optimizer = AdamUniform([latent], lr=stage.step_size * pixel)
        albedo_optimizer = torch.optim.Adam([log_albedo], lr=ALBEDO_STEP)
        if fit.optimizer:
            optimizer.load_state_dict(fit.optimizer)
            albedo_optimizer.load_state_dict(fit.albedo_optimizer)
        silhouettes_of = SoftRenderer("uniform", scale=stage.scale, coverage="outline")
        for step in range(fit.step, stage.steps):
            chosen = views_of_step(len(masks), views_per_step, step, seed=seed + fit.stage)
            cool = cooling(step / stage.steps)
            optimizer.param_groups[0]["lr"] = stage.step_size * pixel * cool
            albedo_optimizer.param_groups[0]["lr"] = ALBEDO_STEP * cool
            mesh = fit.mesh.with_vertices(steps.to_vertices(latent))
            target, mask = colours[chosen], masks[chosen]

            def light_for(
                normals: Tensor, albedo: Tensor, seen: Tensor, target: Tensor = target, mask: Tensor = mask
            ) -> Tensor:
                return learn_light(fit, normals, albedo, target, seen & (mask >= OPAQUE))

            picture = matt_picture(mesh, log_albedo.exp(), camera[chosen], light_for)
            difference = encoded(picture.rgba[..., :3]) - encoded(target)
            colour = torch.nn.functional.huber_loss(
                difference, torch.zeros_like(difference), reduction="sum", delta=DELTA
            ) / (3 * DELTA * len(chosen) * area)
            missed = silhouettes_of.silhouette(mesh, camera[chosen]) - mask
            silhouettes = missed.square().sum() / (len(chosen) * outline)
            start, end = mesh.edges.unbind(1)
            variation = (log_albedo[start] - log_albedo[end]).abs().mean()
            loss = silhouettes + COLOUR_WEIGHT * colour + stage.smoothness * bending(mesh.vertices)
            loss = loss + stage.flatness * variation
            optimizer.zero_grad()
            albedo_optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            albedo_optimizer.step()
            fit.losses.append(float(colour.detach()))
            fit.step, fit.latent, fit.log_albedo = step + 1, latent.detach(), log_albedo.detach()
            fit.optimizer, fit.albedo_optimizer = optimizer.state_dict(), albedo_optimizer.state_dict()
            after_step(fit)
        fit.mesh = fit.mesh.with_vertices(steps.to_vertices(latent).detach())
        fit.stage, fit.step, fit.latent, fit.optimizer, fit.albedo_optimizer = fit.stage + 1, 0, None, {}, {}
    assert fit.log_albedo is not None
    return fit.mesh.with_appearance(vertex_colours=fit.log_albedo.exp())


def matt_picture(
    mesh: Mesh,
    albedo: Float[Tensor, "V 3"],
    camera: Camera,
    light_for: Callable[[Tensor, Tensor, Tensor], Float[Tensor, "9 3"]],
) -> MattPicture:
    """A matt mesh by each camera, over black, antialiased; the light is that of `light_for(normals, albedo, seen)`."""
    screen, faces = project_mesh(mesh, camera)
    if faces is not mesh.faces:
        raise ValueError("camera: expected cameras that see the whole mesh in front of their near plane")
    perspective = camera.projection == "perspective"
    fragments = rasterize(screen, faces, camera.image_size, perspective=perspective)
    both = interpolate(torch.cat([mesh.vertex_normals, albedo], -1)[None], fragments, faces)
    normals, shown = unit(both[..., :3]), both[..., 3:]
    seen = fragments.face_id >= 0
    light = light_for(normals.detach(), shown.detach(), seen)
    colour = shown * SphericalHarmonicsLight(light).irradiance(normals)
    image = torch.cat([colour, seen.unsqueeze(-1).to(colour)], -1) * seen.unsqueeze(-1)
    return MattPicture(antialias(image, fragments, screen, faces), normals, shown)


def learn_light(
    fit: ColourFit, normals: Tensor, albedo: Tensor, colours: Tensor, known: Tensor
) -> Float[Tensor, "9 3"]:
    """The light that explains the last steps' pixels best by least squares; adds those of this step where `known`.

    Shapes: (B, H, W, 3) and (B, H, W). The error of albedo · light is linear in the light's coefficients.
    """
    index = known.flatten().nonzero().squeeze(1)
    if len(index):
        index = index[:: max(1, len(index) // LIGHT_SAMPLES)]
        terms = unit_lights(normals.reshape(-1, 3)[index]).double()
        for c in range(3):
            rows = terms * albedo.reshape(-1, 3)[index, c : c + 1]
            fit.moments[c] = FORGETTING * fit.moments[c] + rows.T @ rows
            fit.responses[c] = FORGETTING * fit.responses[c] + rows.T @ colours.reshape(-1, 3)[index, c].double()
    return light_of(fit)


def light_of(fit: ColourFit) -> Float[Tensor, "9 3"]:
    """The light as it stands; a little ridge keeps the terms that few pixels see finite."""
    size = fit.moments.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)
    ridge = 1e-6 * size[:, None, None] * torch.eye(LIGHT_TERMS, dtype=fit.moments.dtype)
    solution = torch.linalg.solve(fit.moments + ridge, fit.responses.unsqueeze(-1))
    return solution.squeeze(-1).T.to(fit.mesh.vertices.dtype)


def reduce_pictures(views: Views, factor: int) -> tuple[Float[Tensor, "N h w"], Float[Tensor, "N h w 3"], Camera]:
    """Masks, pictures over black (linear) and cameras, averaged down by a factor."""
    assert views.images is not None
    masks, camera = reduce_views(views.masks, views.camera, factor)
    colours = views.images * views.masks.unsqueeze(-1)
    if factor > 1:
        size = (masks.shape[1], masks.shape[2])
        colours = torch.nn.functional.interpolate(colours.movedim(-1, 1), size=size, mode="area").movedim(1, -1)
    return masks, colours, camera


def remeshed(mesh: Mesh, log_albedo: Tensor | None, num_faces: int) -> tuple[Mesh, Float[Tensor, "V 3"]]:
    """The mesh with even triangles, and the albedo of the nearest vertex before."""
    made = remesh_to(mesh, num_faces)
    if log_albedo is None:
        return made, torch.full_like(made.vertices, GREY).log()
    nearest = cKDTree(mesh.vertices.double().numpy()).query(made.vertices.double().numpy())[1]
    return made, log_albedo[torch.from_numpy(nearest)]


def encoded(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sRGB, in which the eye and the fit see the dark as well as the bright; antialiasing may reach below 0."""
    return srgb_from_linear(linear.clamp(min=0))
