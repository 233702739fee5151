"""A camera from one silhouette: many starts as one batch, the best of different ones refined."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.losses.silhouette import hard_iou
from renderer.scene.camera import DEFAULT_NEAR, Camera
from renderer.scene.mesh import Mesh
from renderer.tasks.parts import cover
from renderer.tasks.pose_fit import PoseFit, fit_poses
from renderer.tasks.pose_parameters import Poses, degrees_between, even_rotations
from renderer.tasks.pose_settings import PoseSettings

COARSE_CELLS = 40  # along the longest side of the mesh, for fits on the reduced image
FINE_CELLS = 160  # ... and for the refinement
FINE_SCALES = (1.5, 0.25)  # first and last of the refinement, in pixels
FINE_STEP_SIZE = 0.3  # relative to that of the fit
DISTINCT = 5.0  # degrees: rotations nearer than that have come to the same pose
START_DISTANCE = 4.0  # radii of the object, where nothing tells the distance
DEFAULT = PoseSettings()


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The camera that explains the image best, and what became of every start.

    iou: of hard silhouettes at the image's own resolution. loss: of each start, as last scored. dropped: the step after
    which a start was given up, -1 where it was fitted to the end. starts: their cameras, at the end. losses: the mean
    over the starts, step by step.
    """

    camera: Camera
    iou: float
    loss: Float[Tensor, "N"]
    dropped: Int[Tensor, "N"]
    starts: Camera
    losses: list[float]

    @property
    def candidates(self) -> list[int]:
        """The starts that were fitted to the end and came to different poses, the best first."""
        return distinct(self.starts.world_to_camera[:, :3, :3], self.loss, self.dropped < 0)


def estimate_pose(
    mesh: Mesh,
    image: Float[Tensor, "H W"] | Float[Tensor, "H W 4"],
    *,
    settings: PoseSettings = DEFAULT,
    fit: PoseFit | None = None,
    after_step: Callable[[PoseFit], None] = lambda fit: None,
) -> PoseEstimate:
    """The camera from which `mesh` has the silhouette `image`: a mask in [0, 1], or RGBA, whose alpha is taken.

    Rotations spread evenly are fitted as one batch, on a reduced image and a mesh coarsened by clustering; after a
    third of the steps the best go on, and the best of different rotations are refined on a larger image. From afar a
    silhouette equals its mirror image seen from behind: see `candidates` for what else explains the image. fit,
    after_step: to go on from a checkpoint, and to make one.

    Raises ValueError for an image of another shape or dtype, values outside [0, 1], a mask that is empty or covers
    everything, or a batched mesh.

    >>> estimate_pose(mesh, mask, settings=PoseSettings(fov_y=40.0)).camera.centre
    """
    mask = _mask(image, mesh)
    centre, radius = middle(mesh), radius_of(mesh)
    # A mesh of radius 1 about the origin: the near plane and the first distance fit whatever the units.
    unit = Mesh((mesh.vertices.detach() - centre) / radius, mesh.faces)
    known = settings if settings.distance is None else replace(settings, distance=settings.distance / radius)
    origin = torch.zeros_like(centre)

    def go_on(fit: PoseFit, settings: PoseSettings, cells: int, before: int) -> None:
        size = _reduced(mask, settings.resolution)
        small = torch.nn.functional.interpolate(mask[None, None], size=size, mode="area")[0]
        fit_poses(
            coarsened(unit, cells),
            small.expand(len(fit.loss), -1, -1),
            fit,
            settings=settings,
            centre=origin,
            image_size=(mask.shape[0], mask.shape[1]),
            before=before,
            after_step=after_step,
        )

    if fit is None:
        fit = PoseFit.begin(first_poses(unit, known))
    if fit.step < known.steps:
        go_on(fit, known, COARSE_CELLS, 0)
    if known.refine_steps:
        if fit.step == known.steps:
            keep_the_best(fit, known.finalists)
        go_on(fit, refining(known, mask), FINE_CELLS, known.steps)
    found = fit.best._replace(
        log_distance=fit.best.log_distance + math.log(radius), log_size=fit.best.log_size - math.log(radius)
    )
    near = DEFAULT_NEAR * min(1.0, radius)
    starts = found.camera(centre, (mask.shape[0], mask.shape[1]), near=near).detach()
    best = distinct(fit.best.rotation, fit.loss, fit.dropped < 0)[0]
    return PoseEstimate(
        starts[best], silhouette_iou(mesh, starts[best], mask), fit.loss, fit.dropped, starts, fit.losses
    )


def silhouette_iou(mesh: Mesh, camera: Camera, mask: Float[Tensor, "H W"]) -> float:
    """Of the pixel centres that the mesh covers with mask > ½."""
    return float(hard_iou(cover(mesh, Camera.stack([camera]))[0], mask > 0.5))


def refining(settings: PoseSettings, mask: Float[Tensor, "H W"]) -> PoseSettings:
    """The settings of the refinement: small steps and scales on a larger image."""
    half = _reduced(mask, settings.refine_resolution)[1] / 2
    first, last = ((scale / half) ** (2 if settings.squared else 1) for scale in FINE_SCALES)
    return replace(
        settings,
        steps=settings.refine_steps,
        hops=0,
        keep=1.0,
        resolution=settings.refine_resolution,
        step_size=FINE_STEP_SIZE * settings.step_size,
        first_scale=first,
        last_scale=last,
        match_size=False,
    )


def keep_the_best(fit: PoseFit, count: int) -> None:
    """Give up all but the best of different rotations, which go on from where they were best."""
    kept = distinct(fit.best.rotation, fit.loss, fit.dropped < 0)[:count]
    others = fit.dropped < 0
    others[kept] = False
    fit.dropped = fit.dropped.masked_fill(others, fit.step)
    fit.now = fit.best


def distinct(rotation: Float[Tensor, "N 3 3"], loss: Float[Tensor, "N"], eligible: Tensor) -> list[int]:
    """Indices in the order of the loss, without those that are within `DISTINCT` degrees of an earlier one."""
    taken: list[int] = []
    for i in [int(i) for i in loss.argsort() if eligible[i]]:
        if not taken or float(degrees_between(rotation[taken], rotation[i]).min()) > DISTINCT:
            taken.append(i)
    return taken


def first_poses(mesh: Mesh, settings: PoseSettings) -> Poses:
    """Even rotations, in the middle of the image, at the known distance or as far as the whole object shows."""
    vertices = mesh.vertices.detach()
    rotation = even_rotations(settings.starts).to(vertices)
    radius = radius_of(mesh)
    like = vertices.new_zeros(settings.starts)
    log_distance = like + math.log(START_DISTANCE * radius if settings.distance is None else settings.distance)
    focal = 1.0 if settings.fov_y is None else 0.5 / math.tan(math.radians(settings.fov_y) / 2)
    return Poses(rotation, math.log(focal) - log_distance, log_distance, vertices.new_zeros(settings.starts, 2))


def coarsened(mesh: Mesh, cells: int) -> Mesh:
    """The mesh with vertices clustered on a grid, `cells` along its longest side; as it is where that saves nothing."""
    vertices = mesh.vertices.detach()
    low, high = mesh.bounds.detach()
    cell = ((vertices - low) / ((high - low).amax() / cells)).floor().long()
    _, cluster = torch.unique(cell, dim=0, return_inverse=True)
    count = int(cluster.max()) + 1
    members = torch.bincount(cluster, minlength=count).to(vertices)
    means = vertices.new_zeros(count, 3).index_add(0, cluster, vertices) / members[:, None]
    faces = cluster[mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Mesh(means, faces[whole]) if 0 < int(whole.sum()) < mesh.num_faces else mesh


def middle(mesh: Mesh) -> Float[Tensor, "3"]:
    """Of the mesh's box."""
    return mesh.bounds.detach().mean(dim=0)


def radius_of(mesh: Mesh) -> float:
    """Of the ball about the middle of the mesh's box that holds all of it."""
    return float((mesh.vertices.detach() - middle(mesh)).norm(dim=1).max())


def _mask(image: Tensor, mesh: Mesh) -> Float[Tensor, "H W"]:
    if mesh.vertices.ndim != 2:
        raise ValueError(f"mesh: expected one mesh with vertices (V, 3), got {tuple(mesh.vertices.shape)}")
    if radius_of(mesh) == 0:
        raise ValueError("mesh: expected some extent, got vertices in one point")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[-1] == 4)):
        raise ValueError(f"image: expected a mask (H, W) or RGBA (H, W, 4), got shape {tuple(image.shape)}")
    if (image.dtype, image.device) != (mesh.vertices.dtype, mesh.vertices.device):
        expected = f"{mesh.vertices.dtype} on {mesh.vertices.device} as the mesh"
        raise ValueError(f"image: expected {expected}, got {image.dtype} on {image.device}")
    mask = image if image.ndim == 2 else image[..., 3]
    if not bool(((mask >= 0) & (mask <= 1)).all()):
        raise ValueError("image: expected coverage from 0 to 1, got values outside")
    if not bool((mask > 0.5).any()):
        raise ValueError("image: expected a silhouette, got an empty mask")
    if bool((mask > 0.5).all()):
        raise ValueError("image: expected a silhouette with an outline, got a mask that covers everything")
    return mask


def _reduced(mask: Tensor, longest: int) -> tuple[int, int]:
    factor = max(1.0, max(mask.shape) / longest)
    return max(1, round(mask.shape[0] / factor)), max(1, round(mask.shape[1] / factor))
