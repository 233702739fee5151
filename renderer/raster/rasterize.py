"""Hard visibility: which face each pixel sees, where on it, and how far away."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

import renderer.ops.barycentrics
import renderer.ops.rasterize  # noqa: F401  registers the op
from renderer.ops import native
from renderer.ops.native_function import call


class Fragments(NamedTuple):
    """What each pixel sees.

    face_id (B, H, W) int64, -1 for none; barycentrics (B, H, W, 3) and depth (B, H, W), 0 for none; derivatives
    (B, H, W, 3, 2), those of the barycentrics in pixel x and y, if they were asked for.
    """

    face_id: Int[Tensor, "B H W"]
    barycentrics: Float[Tensor, "B H W 3"]
    depth: Float[Tensor, "B H W"]
    derivatives: Float[Tensor, "B H W 3 2"] | None = None


def rasterize(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    perspective: bool = True,
    cull_back_faces: bool = False,
    behind: Float[Tensor, "B H W"] | None = None,
    derivatives: bool = False,
) -> Fragments:
    r"""The nearest face at every pixel centre.

    With \lambda_i the barycentrics on the screen, b_i = \lambda_i / z_i / \sum_j \lambda_j / z_j and depth
    \sum_i b_i z_i (`perspective=False`: b = \lambda). Barycentrics, depth and derivatives are differentiable in
    `screen_vertices`; the face is piecewise constant, and how its borders move is what `antialias` differentiates.

    Args:
        screen_vertices: pixel x, pixel y, depth. A face with a vertex at depth <= 0 is not drawn: clip first.
        faces: vertex indices, int64. Zero-area faces are not drawn; of faces at equal depth the first is.
        image_size: (H, W).
        perspective: barycentrics and depth are perspective-correct; False for an orthographic camera, where both are
            linear on the screen.
        cull_back_faces: leave out the faces that turn their back (clockwise as seen).
        behind: depth of an earlier layer: the nearest face strictly behind it is found (depth peeling), and none where
            that layer has none (depth 0).
        derivatives: also compute `Fragments.derivatives`, which `interpolate` turns into those of attributes.

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> fragments = rasterize(*project_mesh(mesh, camera), camera.image_size)
    """
    height, width = image_size
    native.check_screen(screen_vertices, faces, height, width)
    if behind is not None:
        shape = (screen_vertices.shape[0], height, width)
        if behind.shape != shape or behind.dtype != screen_vertices.dtype:
            raise ValueError(
                f"behind: expected {screen_vertices.dtype} of shape {shape}, got {behind.dtype} {tuple(behind.shape)}"
            )
        behind = behind.detach()
    face_id, nearest = torch.ops.renderer.rasterize(
        screen_vertices.detach(), faces, height, width, perspective, cull_back_faces, behind
    )
    weights, depth = call("barycentrics", screen_vertices, faces, face_id, nearest, perspective)
    slopes = None
    if derivatives:
        slopes = _derivatives(screen_vertices, faces, face_id, weights, depth, perspective)
    return Fragments(face_id, weights, depth, slopes)


def _derivatives(
    vertices: Tensor, faces: Tensor, face_id: Tensor, weights: Tensor, depth: Tensor, perspective: bool
) -> Float[Tensor, "B H W 3 2"]:
    """d b_i / d (x, y) = depth (g_i - b_i sum_j g_j), g_i = grad lambda_i / z_i, which is constant on a face."""
    batch, count = vertices.shape[0], faces.shape[0]
    if count == 0:
        return weights.new_zeros(*weights.shape, 2)
    corners = vertices[:, faces]  # (B, F, 3, 3)
    x, y, z = corners.unbind(-1)
    opposite_x, opposite_y = x.roll(-2, -1) - x.roll(-1, -1), y.roll(-2, -1) - y.roll(-1, -1)
    area = opposite_x[..., 1] * opposite_y[..., 2] - opposite_y[..., 1] * opposite_x[..., 2]
    drawn = (area != 0) & (z > 0).all(-1)
    gradients = torch.stack([-opposite_y, opposite_x], -1) / torch.where(drawn, area, 1.0)[..., None, None]
    if perspective:
        gradients = gradients / torch.where(drawn[..., None], z, 1.0)[..., None]
    first = torch.arange(batch, device=faces.device).reshape(-1, 1, 1) * count
    seen = (face_id >= 0)[..., None, None]
    slopes = gradients.reshape(batch * count, 6)[(face_id.clamp(min=0) + first)].unflatten(-1, (3, 2))
    if perspective:
        slopes = depth[..., None, None] * (slopes - weights[..., None] * slopes.sum(-2, keepdim=True))
    return torch.where(seen, slopes, 0.0)
