"""Cameras fitted to silhouettes, all in one batch: annealed scale, Adam on rotations, hops."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.losses.silhouette import soft_iou
from renderer.relax.distributions import Distribution, distribution
from renderer.scene.mesh import Mesh
from renderer.shading.soft_renderer import SoftRenderer
from renderer.tasks.pose_parameters import Poses, turn
from renderer.tasks.pose_settings import PoseSettings
from renderer.tasks.visual_hull import signed_distance

BETAS = (0.9, 0.99)  # of Adam
MATCHING_ROUNDS = 3  # area and centroid follow size and offset only nearly as in parallel projection


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
