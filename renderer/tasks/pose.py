"""A camera from one silhouette: many starts as one batch, annealed scale, Adam on rotations, hops, refinement."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.losses.silhouette import hard_iou, soft_iou
from renderer.relax.distributions import Distribution, distribution
from renderer.scene.camera import DEFAULT_NEAR, Camera
from renderer.scene.mesh import Mesh
from renderer.shading.soft_renderer import SoftRenderer
from renderer.tasks.parts import cover
from renderer.tasks.pose_parameters import Poses, degrees_between, even_rotations, turn
from renderer.tasks.pose_settings import PoseSettings
from renderer.tasks.visual_hull import signed_distance

BETAS = (0.9, 0.99)  # of Adam
MATCHING_ROUNDS = 3  # area and centroid follow size and offset only nearly as in parallel projection
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


@dataclass
class PoseFit:
    """Where a fit stands, all that a checkpoint needs: `now` is being fitted, `best` has the least `loss` so far."""

    now: Poses
    best: Poses
    loss: Tensor
    dropped: Tensor
    step: int = 0
    optimizer: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    @staticmethod
    def begin(poses: Poses) -> PoseFit:
        count = len(poses.log_size)
        dropped = torch.full((count,), -1, device=poses.log_size.device)
        return PoseFit(poses, poses, torch.full_like(poses.log_size, math.inf), dropped)

    def state(self) -> dict[str, Any]:
        """As tensors and plain values, for `save_checkpoint`."""
        # A copy: Adam goes on to write into its tensors.
        return copy.deepcopy({**vars(self), "now": tuple(self.now), "best": tuple(self.best)})

    @staticmethod
    def of_state(state: dict[str, Any], device: torch.device | str = "cpu") -> PoseFit:
        """The inverse of `state`, on a device."""
        poses = {name: Poses(*(value.to(device) for value in state[name])) for name in ("now", "best")}
        return PoseFit(**{**state, **poses, **{name: state[name].to(device) for name in ("loss", "dropped")}})


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


def fit_poses(
    mesh: Mesh,
    masks: Float[Tensor, "N H W"],
    fit: PoseFit,
    *,
    settings: PoseSettings,
    centre: Float[Tensor, "3"],
    image_size: tuple[int, int] | None = None,
    before: int = 0,
    after_step: Callable[[PoseFit], None] = lambda fit: None,
) -> None:
    """Fit camera i to mask i, all in one batch, from where `fit` stands; `fit` is updated after every step.

    Each step turns the rotation within the tangent space at itself, R ← exp(ω) R, so that Adam's averages keep their
    meaning in the camera's axes. Hops begin a new descent from the best pose so far, turned about a random axis.
    image_size: of the images that the masks are reduced from, whose pixels are square. before: the steps of earlier
    fits that `fit.step` counts.
    """
    one = masks[:1] if masks.stride(0) == 0 else masks  # the same for all is measured once
    distances = torch.stack([torch.from_numpy(signed_distance(m)) for m in one.detach().cpu().double().numpy()])
    distances = distances.to(masks).expand_as(masks)
    descent = settings.steps // (settings.hops + 1)
    drop_at = settings.steps // 3 if settings.keep < 1 and not settings.hops else -1

    image_size = image_size or (masks.shape[1], masks.shape[2])
    for step in range(fit.step - before, settings.steps):
        hop, k = min(step // descent, settings.hops), step - min(step // descent, settings.hops) * descent
        length = descent if hop < settings.hops else settings.steps - hop * descent
        if k == 0:
            fit.optimizer = {}
            fit.now = hopped(fit.best, hop, settings) if hop else fit.now
            if settings.match_size:
                fit.now = matched(mesh, masks, fit.now, settings, centre)
            if before:  # what was scored on other masks counts no more
                fit.loss = torch.where(fit.dropped < 0, math.inf, fit.loss)
                _score(mesh, masks, distances, fit, settings, centre, image_size)
        active = (fit.dropped < 0).nonzero()[:, 0]
        relaxed = _relaxation(settings, k / max(1, length - 1), masks.shape[-1])
        poses, targets = fit.now.of(active), masks[active]
        if settings.soften_target:
            targets = relaxed.cdf(distances[active])
        change = torch.zeros(len(active), 7, dtype=masks.dtype, device=masks.device, requires_grad=True)
        optimizer = torch.optim.Adam([change], betas=BETAS, lr=settings.step_size * _cosine(k / length))
        if fit.optimizer:
            optimizer.load_state_dict({**fit.optimizer, "param_groups": optimizer.state_dict()["param_groups"]})
        loss = _loss(mesh, targets, changed(poses, change, settings), relaxed, settings, centre, image_size)
        loss.sum().backward()
        optimizer.step()
        fit.now = _put(fit.now, active, changed(poses, change.detach(), settings))
        fit.optimizer = optimizer.state_dict()
        fit.losses.append(float(loss.detach().mean()))
        last = k == length - 1
        if last or step + 1 == drop_at:
            _score(mesh, masks, distances, fit, settings, centre, image_size)
        fit.step = before + step + 1
        if step + 1 == drop_at:
            keep = max(1, round(settings.keep * len(active)))
            order = fit.loss[active].argsort()
            fit.dropped[active[order[keep:]]] = fit.step
            kept = order[:keep].sort().values
            state = fit.optimizer["state"][0]
            fit.optimizer["state"][0] = {n: v[kept] if v.ndim else v for n, v in state.items()}
            fit.loss[active[kept]] = math.inf  # scored before the scale was small: any later pose is better
        after_step(fit)


def changed(poses: Poses, change: Float[Tensor, "N 7"], settings: PoseSettings) -> Poses:
    """The poses after a change (turn, size, distance, offset), of which only what is unknown counts."""
    size, distance = change[:, 3], change[:, 4]
    if settings.fov_y is not None:  # focal = size · distance stays
        distance = -size if settings.distance is None else torch.zeros_like(size)
        size = -distance
    elif settings.distance is not None:
        distance = torch.zeros_like(size)
    offset = poses.offset if settings.centred else poses.offset + change[:, 5:]
    return Poses(turn(change[:, :3]) @ poses.rotation, poses.log_size + size, poses.log_distance + distance, offset)


def first_poses(mesh: Mesh, settings: PoseSettings) -> Poses:
    """Even rotations, in the middle of the image, at the known distance or as far as the whole object shows."""
    vertices = mesh.vertices.detach()
    rotation = even_rotations(settings.starts).to(vertices)
    radius = radius_of(mesh)
    like = vertices.new_zeros(settings.starts)
    log_distance = like + math.log(START_DISTANCE * radius if settings.distance is None else settings.distance)
    focal = 1.0 if settings.fov_y is None else 0.5 / math.tan(math.radians(settings.fov_y) / 2)
    return Poses(rotation, math.log(focal) - log_distance, log_distance, vertices.new_zeros(settings.starts, 2))


def hopped(poses: Poses, hop: int, settings: PoseSettings) -> Poses:
    """Turned about random axes by up to `hop_angle`; a function of seed and hop, so there is no state to save."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + hop)
    axis = torch.nn.functional.normalize(torch.randn(len(poses.log_size), 3, generator=generator), dim=1)
    angle = math.radians(settings.hop_angle) * torch.rand(len(poses.log_size), 1, generator=generator)
    return poses._replace(rotation=turn((axis * angle).to(poses.rotation)) @ poses.rotation)


@torch.no_grad()
def matched(
    mesh: Mesh, masks: Float[Tensor, "N H W"], poses: Poses, settings: PoseSettings, centre: Float[Tensor, "3"]
) -> Poses:
    """The poses moved so that area and centroid of their silhouettes are the masks'; none where one is empty."""
    height = masks.shape[1]
    renderer = SoftRenderer("uniform", scale=0.5, coverage="outline")
    area, place = _moments(masks)
    for _ in range(MATCHING_ROUNDS):
        seen, at = _moments(renderer.silhouette(mesh, poses.camera(centre, (height, masks.shape[2]))))
        shows = (seen > 1) & (area > 1)
        change = torch.zeros(len(seen), 7, dtype=masks.dtype, device=masks.device)
        change[:, 3] = torch.where(shows, (area / seen.clamp(min=1)).log() / 2, 0.0)
        change[:, 5:] = torch.where(shows[:, None], (place - at) / height, 0.0)
        poses = changed(poses, change, settings)
    return poses


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


def _relaxation(settings: PoseSettings, progress: float, width: int) -> Distribution:
    scale = settings.first_scale * (settings.last_scale / settings.first_scale) ** progress
    unit = width / 2
    scale *= unit * unit if settings.squared else unit
    return distribution(settings.distribution, scale=scale, squared=settings.squared)


def _loss(
    mesh: Mesh,
    targets: Tensor,
    poses: Poses,
    relaxed: Distribution,
    settings: PoseSettings,
    centre: Tensor,
    image_size: tuple[int, int],
) -> Float[Tensor, "N"]:
    renderer = SoftRenderer(relaxed, settings.t_conorm, coverage=settings.coverage)
    camera = poses.camera(centre, image_size).resize((targets.shape[1], targets.shape[2]))
    silhouettes = renderer.silhouette(mesh, camera)
    if settings.loss == "iou":
        return soft_iou(silhouettes, targets, reduction="none")
    # Relative to the target: a small mask counts as much as a large one.
    return (silhouettes - targets).square().sum((1, 2)) / targets.square().sum((1, 2)).clamp(min=1)


@torch.no_grad()
def _score(
    mesh: Mesh,
    masks: Tensor,
    distances: Tensor,
    fit: PoseFit,
    settings: PoseSettings,
    centre: Tensor,
    image_size: tuple[int, int],
) -> None:
    """Keep the better of `now` and `best`, both judged alike: uniform by outline, half a pixel."""
    active = (fit.dropped < 0).nonzero()[:, 0]
    sharp = distribution("uniform", scale=0.5)
    judge = PoseSettings(coverage="outline", loss="iou")
    targets = sharp.cdf(distances[active])
    loss = _loss(mesh, targets, fit.now.of(active), sharp, judge, centre, image_size)
    better = loss < fit.loss[active]
    fit.best = _put(fit.best, active[better], fit.now.of(active[better]))
    fit.loss = fit.loss.index_put((active[better],), loss[better])


def _put(poses: Poses, index: Tensor, values: Poses) -> Poses:
    return Poses(*(old.index_put((index,), new.to(old)) for old, new in zip(poses, values, strict=True)))


def _moments(masks: Float[Tensor, "N H W"]) -> tuple[Tensor, Tensor]:
    """Area in pixels, and centroid (x, y)."""
    _, height, width = masks.shape
    area = masks.sum((1, 2))
    x, y = (torch.arange(n, device=masks.device, dtype=masks.dtype) + 0.5 for n in (width, height))
    at = torch.stack([(masks.sum(1) * x).sum(1), (masks.sum(2) * y).sum(1)], dim=1)
    return area, at / area.clamp(min=1e-6)[:, None]


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


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
