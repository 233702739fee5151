"""What the pixels of all views show of a mesh that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from renderer.raster.clip import clip_attributes
from renderer.raster.interpolate import interpolate
from renderer.raster.project import project_clipped
from renderer.raster.rasterize import rasterize
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views

GRAZING = 0.15
"""Cosine between surface and line of sight below which a pixel says too little about the surface."""

OPAQUE = 0.999
"""Coverage from which a pixel shows the object alone."""


class SurfacePixels(NamedTuple):
    """M pixels that show one piece of surface each, view after view.

    starts: the pixels of view i are starts[i] to starts[i + 1]. slopes: d (u, v) / d (pixel x, pixel y).
    """

    starts: tuple[int, ...]
    colours: Float[Tensor, "M 3"]
    normals: Float[Tensor, "M 3"]
    uv: Float[Tensor, "M 2"]
    slopes: Float[Tensor, "M 2 2"]

    def of_views(self, views: Sequence[int]) -> SurfacePixels:
        """The pixels of some views."""
        spans = [slice(self.starts[i], self.starts[i + 1]) for i in views]
        parts = [torch.cat([values[span] for span in spans]) for values in self[1:]]
        starts = [0]
        for span in spans:
            starts.append(starts[-1] + span.stop - span.start)
        return SurfacePixels(tuple(starts), *parts)

    def to(self, device: torch.device | str) -> SurfacePixels:
        """A copy on a device."""
        return SurfacePixels(self.starts, *(values.to(device) for values in self[1:]))


def surface_pixels(mesh: Mesh, views: Views) -> SurfacePixels:
    """The pixels of views with images at which a mesh with texture coordinates is seen well.

    Left out are pixels at the outline, where an occluding edge runs through, and where the surface is seen at a grazing
    angle: their colours belong to more than one piece of surface.

    Raises:
        ValueError: views without images, a mesh without uv.
    """
    if views.images is None:
        raise ValueError("views: expected images beside the masks, got none")
    if mesh.uv is None or mesh.uv_faces is None:
        raise ValueError("mesh: expected texture coordinates, got none (see renderer.scene.with_atlas)")
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        normals = mesh.vertex_normals
        for camera, mask, image in zip(views.camera, views.masks, views.images, strict=True):
            screen, faces, cuts = project_clipped(mesh.vertices, mesh.faces, camera)
            perspective = camera.projection == "perspective"
            fragments = rasterize(screen, faces, camera.image_size, perspective=perspective, derivatives=True)
            values, rows = clip_attributes(mesh.uv[None], mesh.uv_faces, cuts)
            uv, slopes = interpolate(values, fragments, rows, derivatives=True)
            values, rows = clip_attributes(torch.cat([normals, mesh.vertices], -1)[None], mesh.faces, cuts)
            carried = interpolate(values, fragments, rows)[0]
            normal = torch.nn.functional.normalize(carried[..., :3], dim=-1)
            sight = line_of_sight(camera, carried[..., 3:])
            cosine = (normal * sight).sum(-1)
            pixel = fragments.depth[0] / camera.K[0, 0] if perspective else 1 / camera.K[0, 0]
            good = (fragments.face_id[0] >= 0) & (mask >= OPAQUE) & (cosine > GRAZING)
            good &= ~_steps(fragments.depth[0], pixel / cosine.clamp(min=GRAZING))
            parts.append((image[good], normal[good], uv[0][good], slopes[0][good]))
    starts = [0]
    for colours, *_ in parts:
        starts.append(starts[-1] + len(colours))
    return SurfacePixels(tuple(starts), *(torch.cat(columns) for columns in zip(*parts, strict=True)))


def line_of_sight(camera: Camera, points: Float[Tensor, "*M 3"]) -> Float[Tensor, "*M 3"]:
    """Unit vectors from points to the eye of one camera."""
    if camera.projection != "perspective":
        return -camera.world_to_camera[2, :3].expand_as(points)
    return torch.nn.functional.normalize(camera.centre - points, dim=-1)


def _steps(depth: Float[Tensor, "H W"], largest: Float[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Where the depth of a neighbour differs by more than a surface at this slant could explain."""
    jump = torch.zeros_like(depth, dtype=torch.bool)
    for axis in (0, 1):
        step = depth.diff(dim=axis).abs()
        count = depth.shape[axis] - 1
        apart = step > 2 * torch.minimum(largest.narrow(axis, 0, count), largest.narrow(axis, 1, count))
        jump.narrow(axis, 0, count).logical_or_(apart)
        jump.narrow(axis, 1, count).logical_or_(apart)
    return jump
