"""Hard visibility: which face each pixel sees, where on it, and how far away."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

import renderer.ops.rasterize  # noqa: F401  registers the op
from renderer.ops import native


class Fragments(NamedTuple):
    """What each pixel sees: face (B, H, W) int64, -1 for none; barycentrics (B, H, W, 3); depth (B, H, W), 0 for
    none."""

    face_id: Int[Tensor, "B H W"]
    barycentrics: Float[Tensor, "B H W 3"]
    depth: Float[Tensor, "B H W"]


def rasterize(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    perspective: bool = True,
    cull_back_faces: bool = False,
) -> Fragments:
    """The nearest face at every pixel centre.

    Args:
        screen_vertices: pixel x, pixel y, depth. A face with a vertex at depth <= 0 is not drawn: clip first.
        faces: vertex indices, int64.
        image_size: (H, W).
        perspective: barycentrics and depth are perspective-correct; False for an orthographic camera, where both are
            linear on the screen.
        cull_back_faces: leave out the faces that turn their back (clockwise as seen).

    Returns:
        Fragments; not differentiable.

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> fragments = rasterize(*project_mesh(mesh, camera), camera.image_size)
    """
    height, width = image_size
    native.check_screen(screen_vertices, faces, height, width)
    return Fragments(
        *torch.ops.renderer.rasterize(screen_vertices.detach(), faces, height, width, perspective, cull_back_faces)
    )
