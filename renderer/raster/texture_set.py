"""Textures that are sampled per face before blending: packed, with what their level of detail needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.raster.texture import Filter, Wrap, check_filter_and_wrap, texel_pyramid


class TextureMap(NamedTuple):
    """An image on a surface; see :func:`renderer.raster.texture` for what the fields mean.

    image: (h, w, C), or (B, h, w, C) for an image a view; linear values.
    """

    image: Float[Tensor, "*batch h w C"]
    filter: Filter = "linear"
    wrap: Wrap = "repeat"


class FaceTextures(NamedTuple):
    """Textures of the faces of a mesh.

    Args:
        textures: any number of them, of any sizes, with the same number of channels.
        uv: (B, U, 2), or (1, U, 2) for all views; see :func:`renderer.raster.texture`.
        uv_faces: (F, 3) rows of ``uv`` at the corners of the faces.
        face_texture: (F,) the texture of each face, -1 for none; the first one for all if None.
    """

    textures: Sequence[TextureMap]
    uv: Float[Tensor, "#B U 2"]
    uv_faces: Int[Tensor, "F 3"]
    face_texture: Int[Tensor, " F"] | None = None


def pack_textures(textures: Sequence[TextureMap], batch: int) -> tuple[Float[Tensor, "Bt N C"], list[int]]:
    """The texels of all of them one after the other, and six numbers for each: first texel, height, width, levels,
    nearest, repeat. Bt is 1 unless a texture has an image a view.

    Raises:
        ValueError: no texture, or images that do not go together.
    """
    if not textures:
        raise ValueError("textures: expected at least one, got none")
    images, channels = [], textures[0].image.shape[-1]
    for i, (image, filter, wrap) in enumerate(textures):
        check_filter_and_wrap(filter, wrap)
        image = image.unsqueeze(0) if image.ndim == 3 else image
        if image.ndim != 4 or image.shape[0] not in (1, batch) or image.shape[-1] != channels or image.numel() == 0:
            expected = f"(h, w, {channels}), (1, h, w, {channels}) or ({batch}, h, w, {channels})"
            raise ValueError(
                f"textures: expected images {expected}, got {tuple(textures[i].image.shape)} for number {i}"
            )
        images.append(image)
    sets = max(image.shape[0] for image in images)
    pyramids, layouts, first = [], [], 0
    for image, (_, filter, wrap) in zip(images, textures, strict=True):
        texels, levels = texel_pyramid(image, filter)
        pyramids.append(texels.expand(sets, -1, -1))
        layouts += [first, image.shape[1], image.shape[2], levels, int(filter == "nearest"), int(wrap == "repeat")]
        first += texels.shape[1]
    return torch.cat(pyramids, 1), layouts


def texture_slopes(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    uv: Float[Tensor, "B U 2"],
    uv_faces: Int[Tensor, "F 3"],
    *,
    perspective: bool,
) -> Float[Tensor, "B F 6"]:
    """d/dx of u/z, v/z, 1/z over each face, then d/dy of them: these are linear on the screen (Heckbert, 1989).

    Orthographic: the same of u, v and 1. Zero for a face without area, whose texture then shows its finest level.
    Differentiable in the vertices and in uv.
    """
    corners, coordinates = screen_vertices[:, faces], uv[:, uv_faces]
    depth = corners[..., 2:]
    inverse = 1 / torch.where(depth > 0, depth, 1.0) if perspective else torch.ones_like(depth)
    linear = torch.cat([coordinates, torch.ones_like(depth)], -1) * inverse
    (x1, y1), (x2, y2) = ((corners[..., k, :2] - corners[..., 0, :2]).unbind(-1) for k in (1, 2))
    area = x1 * y2 - x2 * y1
    reciprocal = torch.where(area != 0, 1 / torch.where(area != 0, area, 1.0), 0.0).unsqueeze(-1)
    first, second = linear[..., 1, :] - linear[..., 0, :], linear[..., 2, :] - linear[..., 0, :]
    across = (y2.unsqueeze(-1) * first - y1.unsqueeze(-1) * second) * reciprocal
    down = (x1.unsqueeze(-1) * second - x2.unsqueeze(-1) * first) * reciprocal
    return torch.cat([across, down], -1)
