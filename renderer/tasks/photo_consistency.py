"""Where the pictures agree: a surface pulled to the depth at which all views see the same colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from renderer.raster.project import project_mesh
from renderer.raster.rasterize import rasterize
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh
from renderer.tasks.belief_propagation import label_costs
from renderer.tasks.surface_pixels import line_of_sight
from renderer.tasks.visual_hull import pixel_size
from renderer.train.large_steps import LargeSteps

VIEWS_COMPARED = 6  # of those that look at a point most directly
GRAZING = 0.35  # cosine to the line of sight below which a view does not count
TOLERANCE = 0.1  # sRGB difference from which on two colours are simply different
INSIDE = 0.5  # coverage from which a point may lie behind a mask
NORMAL_STIFFNESS = 5.0  # normals are those of a smoothed surface, so that their lines do not cross
SMOOTHING = 0.1  # λ of what is left to smooth after the labels


@dataclass(frozen=True)
class Sweep:
    """How far and how finely to look along the normals.

    reduction: image size divided by this; a pixel below is one of the reduced image. inwards, outwards: share of the
    object's size, the diagonal of its bounding box. step: between offsets, in pixels. slope, limit: what neighbours
    pay that differ by a step, and at most (see `label_costs`); a vertex pays 1 for views that disagree wholly.
    doubt: what a step away from where the vertex is costs, so that nothing moves where all depths look alike.
    """

    reduction: int
    inwards: float
    outwards: float
    step: float = 1.0
    slope: float = 0.03
    limit: float = 0.15
    doubt: float = 0.003


def swept(
    mesh: Mesh,
    sweep: Sweep,
    masks: Float[Tensor, "N H W"],
    pictures: Float[Tensor, "N H W 3"],
    camera: Camera,
) -> Mesh:
    """The mesh with every vertex moved along its normal to where the pictures, sRGB, agree about its colour.

    The vertices are the nodes and the offsets the labels of one labelling (`label_costs`), found all at once and
    without a derivative: unlike descent it crosses the places between, at which nothing fits. Occlusion is that of the
    mesh as it is, so a second, narrower sweep knows more. A matt surface in still light is assumed.
    """
    size = float((mesh.bounds[1] - mesh.bounds[0]).norm())
    step = sweep.step * pixel_size(camera, mesh.vertices.mean(0))
    before, after = round(sweep.inwards * size / step), round(sweep.outwards * size / step)
    labels = torch.arange(-before, after + 1).to(mesh.vertices)
    normals = functional.normalize(LargeSteps(mesh, stiffness=NORMAL_STIFFNESS).solve(mesh.vertex_normals), dim=-1)
    cost = disagreement(mesh, normals, labels * step, masks, pictures, camera) + sweep.doubt * labels.abs()
    total = label_costs(cost, mesh.edges, slope=sweep.slope, limit=sweep.limit)
    offset = (labels[0] + _lowest(total)) * step
    offset = LargeSteps(mesh, stiffness=SMOOTHING).solve(offset[:, None].expand(-1, 3).contiguous())[:, :1]
    return mesh.with_vertices(mesh.vertices + offset * normals)


def disagreement(
    mesh: Mesh,
    normals: Float[Tensor, "V 3"],
    offsets: Float[Tensor, "K"],
    masks: Float[Tensor, "N H W"],
    pictures: Float[Tensor, "N H W 3"],
    camera: Camera,
) -> Float[Tensor, "V K"]:
    """How differently the views colour each vertex when it is moved along its normal: 0 not at all, 1 wholly.

    The mean over pairs of views of their mean absolute difference, up to `TOLERANCE`, in units of it, weighted by how
    directly both look. 1 where the point lies outside a mask; 0 for a vertex that fewer than two views see.
    """
    weight = directness(mesh, normals, camera)
    weights, chosen = weight.topk(min(VIEWS_COMPARED, len(weight)), dim=0)
    points = mesh.vertices[:, None] + offsets[:, None] * normals[:, None]
    colours = points.new_zeros(len(chosen), *points.shape)
    outside = torch.zeros(points.shape[:2], dtype=torch.bool, device=points.device)
    for view in range(len(masks)):
        pixels = camera[view].project(points.flatten(0, 1)).reshape(points.shape)[..., :2]
        outside |= _look_up(masks[view, :, :, None], pixels)[..., 0] < INSIDE
        for slot, views in enumerate(chosen):
            mine = (views == view) & (weights[slot] > 0)
            colours[slot, mine] = _look_up(pictures[view], pixels[mine])
    total, pairs = points.new_zeros(points.shape[:2]), points.new_zeros(len(points), 1)
    for i in range(len(chosen)):
        for j in range(i):
            pair = (weights[i] * weights[j]).sqrt()[:, None]
            total += pair * (colours[i] - colours[j]).abs().mean(-1).clamp(max=TOLERANCE) / TOLERANCE
            pairs += pair
    cost = torch.where(pairs > 0, total / pairs.clamp(min=1e-12), torch.zeros_like(total))
    return torch.where(outside & (offsets != 0), torch.ones_like(cost), cost)


def directness(mesh: Mesh, normals: Float[Tensor, "V 3"], camera: Camera) -> Float[Tensor, "N V"]:
    """Cosine between normal and line of sight less `GRAZING`; 0 where less, and where the mesh hides the vertex."""
    result = []
    pixel = pixel_size(camera, mesh.vertices.mean(0))
    for one in camera:
        screen, faces = project_mesh(mesh, one)
        fragments = rasterize(screen, faces, one.image_size, perspective=one.projection == "perspective")
        depth = torch.where(fragments.face_id >= 0, fragments.depth, torch.inf)[0, :, :, None]
        place = screen.reshape(-1, 3)[: mesh.num_vertices]
        cosine = (normals * line_of_sight(one, mesh.vertices)).sum(-1)
        # Depth is that of the nearest pixel's centre: half a pixel aside, on a slant.
        slack = 2 * pixel / cosine.clamp(min=0.2)
        hidden = place[:, 2] > _look_up(depth, place[:, None, :2], mode="nearest")[:, 0, 0] + slack
        result.append(torch.where(hidden, torch.zeros_like(cosine), (cosine - GRAZING).clamp(min=0)))
    return torch.stack(result)


def _look_up(
    image: Float[Tensor, "H W C"], pixels: Float[Tensor, "V K 2"], mode: str = "bilinear"
) -> Float[Tensor, "V K C"]:
    size = torch.tensor([image.shape[1], image.shape[0]]).to(pixels)
    place = (2 * pixels / size - 1)[None]
    values = functional.grid_sample(image.movedim(-1, 0)[None], place, mode=mode, align_corners=False)
    return values[0].movedim(0, -1)


def _lowest(cost: Float[Tensor, "V K"]) -> Float[Tensor, "V"]:
    """Where the parabola through the least cost and its neighbours is lowest, as a fraction of labels."""
    least = cost.argmin(1)
    if cost.shape[1] < 3:
        return least.to(cost.dtype)
    middle = least.clamp(1, cost.shape[1] - 2)
    before, at, after = (cost.gather(1, middle[:, None] + i)[:, 0] for i in (-1, 0, 1))
    shift = 0.5 * (before - after) / (before - 2 * at + after).clamp(min=1e-6)
    return torch.where(least == middle, middle + shift.clamp(-0.5, 0.5), least.to(cost.dtype))
