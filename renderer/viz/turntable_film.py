"""A short film of a mesh that turns once around."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from renderer.raster.rasterize import rasterize
from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh
from renderer.scene.pose import upright_axes
from renderer.viz.film import Film, FilmFormat, check_film, film_of_pictures, write_film
from renderer.viz.image import from_srgb, to_uint8
from renderer.viz.shading import ShadedMesh, split_creases
from renderer.viz.viewer import Vector

# Each pixel is the mean of a square of samples this wide: smooth outlines and shading.
SUPERSAMPLING = 2

FIELD_OF_VIEW = 30.0  # degrees
MARGIN = 1.06  # the picture is this much larger than the bounding sphere

# The light of `templates/viewer.js`, in linear light and camera axes turned to x right, y up, z to the eye.
BACKGROUND = "#f1f3f6"
OUTSIDE, INSIDE = (0.42, 0.52, 0.66), (0.72, 0.40, 0.22)
GROUND, SKY, KEY = (0.16, 0.15, 0.15), (0.34, 0.38, 0.44), (0.88, 0.85, 0.80)
KEY_DIRECTION = (-0.45, 0.65, 0.75)


def turntable(
    mesh: Mesh,
    *,
    path: str | Path | None = None,
    format: FilmFormat | None = None,
    frames: int = 60,
    size: int = 400,
    elevation: float = 20.0,
    up: Vector = (0.0, 1.0, 0.0),
) -> Film | None:
    """A film, 20 frames a second, of the mesh turning once about its up direction.

    Args:
        path: write the film to this file, .mp4 (H.264) or .gif, frame by frame, and return None; without a path the
            film stays in memory and plays in a notebook.
        format: of the film without a path; "mp4" by default.
        size: width and height in pixels; even for .mp4, whose colours are stored for blocks of 2×2.
        elevation: how far the camera looks down, in degrees.
        up: the world direction that points upwards.
    Raises: ValueError for another extension, both path and format, frames < 1, a size that does not fit, or a batched
    mesh.

        >>> from renderer.scene import cube
        >>> turntable(cube(), path="cube.gif", frames=2, size=32)
    """
    if path is None:
        pictures = turntable_frames(mesh, frames=frames, size=size, elevation=elevation, up=up)
        return film_of_pictures(pictures, format=format or "mp4")
    if format is not None:
        raise ValueError(f"format: expected None beside a path, whose extension says it, got {format!r}")
    check_film(path, size, size)
    write_film(path, turntable_frames(mesh, frames=frames, size=size, elevation=elevation, up=up))
    return None


def turntable_frames(
    mesh: Mesh, *, frames: int, size: int, elevation: float = 20.0, up: Vector = (0.0, 1.0, 0.0)
) -> Iterator[UInt8[np.ndarray, "{size} {size} 3"]]:
    """The pictures of `turntable`, one at a time."""
    if frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    if size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}")
    if not -90 < elevation < 90:
        raise ValueError(f"elevation: expected degrees between -90 and 90, got {elevation}")
    shaded = split_creases(mesh.to(torch.float32))
    cameras = _cameras(shaded.vertices, frames, size * SUPERSAMPLING, elevation, up)
    return (_picture(shaded, camera) for camera in cameras)


def _cameras(vertices: Float[Tensor, "V 3"], frames: int, size: int, elevation: float, up: Vector) -> Camera:
    centre = (vertices.amin(0) + vertices.amax(0)) / 2
    radius = float((vertices - centre).norm(dim=1).max()) or 1.0
    distance = MARGIN * radius / math.sin(math.radians(FIELD_OF_VIEW) / 2)
    right, upward, back = torch.from_numpy(upright_axes(up)).to(vertices)
    azimuth = (2 * math.pi / frames * torch.arange(frames)).to(vertices)[:, None]
    e = math.radians(elevation)
    direction = math.cos(e) * (azimuth.sin() * right + azimuth.cos() * back) + math.sin(e) * upward
    return Camera.look_at(
        centre + distance * direction,
        centre,
        upward,
        image_size=(size, size),
        fov_y=FIELD_OF_VIEW,
        near=(distance - radius) / 2,
    )


def _picture(mesh: ShadedMesh, camera: Camera) -> np.ndarray:
    screen = camera.project(mesh.vertices)
    fragments = rasterize(screen, mesh.faces, camera.image_size)
    # Light is computed at the vertices: it varies slowly, and there are far fewer of them than of samples.
    colours = _corner_colours(mesh, camera, screen[0]).flatten(1)
    face_id = fragments.face_id.flatten()
    seen = (face_id >= 0).nonzero().squeeze(1)
    shares = fragments.barycentrics.reshape(-1, 3).index_select(0, seen).split(1, dim=1)
    corners = colours.index_select(0, face_id.index_select(0, seen)).split(3, dim=1)
    samples = from_srgb(BACKGROUND).to(colours).repeat(len(face_id), 1)
    samples[seen] = sum((s * c for s, c in zip(shares, corners, strict=True)), torch.zeros(()).to(colours))
    image = samples.reshape(*camera.image_size, 3)
    planes = torch.nn.functional.avg_pool2d(image.movedim(-1, 0), SUPERSAMPLING)
    return to_uint8(planes.movedim(0, -1))


def _corner_colours(mesh: ShadedMesh, camera: Camera, screen: Float[Tensor, "V 3"]) -> Float[Tensor, "F 3 3"]:
    """Linear RGB of the corners of each face, as lit from the camera's upper left, on the side that is seen."""
    to_eye_axes = camera.world_to_camera[:3, :3] * camera.K.new_tensor([1.0, -1.0, -1.0]).unsqueeze(-1)
    normals = mesh.normals @ to_eye_axes.T
    outside, inside = _light(normals, OUTSIDE)[mesh.faces], _light(-normals, INSIDE)[mesh.faces]
    # By the face, not by its smooth normals, which turn away a little before the outline. Rows run down, so that
    # the corners of a face that looks here have a negative area.
    a, b, c = screen[mesh.faces, :2].unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return torch.where(area[:, None, None] > 0, inside, outside)


def _light(normals: Float[Tensor, "V 3"], albedo: tuple[float, float, float]) -> Float[Tensor, "V 3"]:
    """Diffuse light from sky, ground and a key light."""
    base, ground, sky, key, direction = (
        normals.new_tensor(value) for value in (albedo, GROUND, SKY, KEY, KEY_DIRECTION)
    )
    height = 0.5 + 0.5 * normals[:, 1:2]
    facing = (normals @ (direction / direction.norm())).clamp(min=0).unsqueeze(1)
    return (base * (ground + (sky - ground) * height + key * facing)).clamp(max=1)
