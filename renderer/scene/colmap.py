"""COLMAP's sparse models: cameras and images, text and binary. Source: https://colmap.github.io/format.html"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.images import size_text

T = TypeVar("T")

MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)
"""COLMAP's camera models in the order of their ids, with the number of their parameters."""

PINHOLE_PARAMETERS = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4, "SIMPLE_RADIAL": 3, "RADIAL": 3, "OPENCV": 4, "FULL_OPENCV": 4}
"""Models that are a pinhole when the parameters after these (the distortion) are 0."""

UNIT_TOLERANCE = 1e-2
"""How far the length of a stored quaternion may be from 1: it is normalised, but a zero or garbled one is refused."""


class ColmapView(NamedTuple):
    """One registered image: its name, its camera's id, quaternion (w, x, y, z) and translation, world to camera."""

    name: str
    camera_id: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]


class ColmapIntrinsics(NamedTuple):
    """One COLMAP camera: model name, image size (height, width) and all its parameters."""

    model: str
    image_size: tuple[int, int]
    params: tuple[float, ...]


def is_colmap_model(folder: Path) -> bool:
    """Whether the folder has cameras and images, as text or binary."""
    return any(all((folder / f"{name}{end}").is_file() for name in ("cameras", "images")) for end in (".bin", ".txt"))


def read_colmap(folder: Path, *, dtype: torch.dtype = torch.float32) -> tuple[list[str], Camera]:
    """The names of the registered images, sorted, and their cameras.

    The binary files are read where both kinds exist.

    Raises:
        DataError: one line that names the file: truncated, malformed, NaN, no images, a camera that is missing, lens
            distortion, image sizes that differ.
    """
    end = ".bin" if (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file() else ".txt"
    cameras_path, images_path = folder / f"cameras{end}", folder / f"images{end}"
    binary = end == ".bin"
    cameras = _read(cameras_path, _cameras_from_binary if binary else _cameras_from_text)
    views = _read(images_path, _views_from_binary if binary else _views_from_text)
    if not views:
        raise DataError(f"{images_path}: no images")
    views = sorted(views, key=lambda view: view.name)
    params, size = [], None
    for view in views:
        if view.camera_id not in cameras:
            raise DataError(
                f"{images_path}: image {view.name} has camera {view.camera_id}, which {cameras_path.name} lacks"
            )
        camera = cameras[view.camera_id]
        size = size or camera.image_size
        if camera.image_size != size:
            expected, came = size_text(size), size_text(camera.image_size)
            raise DataError(f"{cameras_path}: expected one image size, got {expected} and {came} ({view.name})")
        params.append(_pinhole(camera, f"{cameras_path}: camera {view.camera_id}"))
        _check_pose(view, images_path)
    assert size is not None
    quaternions = torch.tensor([view.quaternion for view in views], dtype=torch.float64)
    translations = torch.tensor([view.translation for view in views], dtype=torch.float64)
    pinholes = torch.tensor(params, dtype=torch.float64)
    try:
        batch = Camera.from_colmap(quaternions, translations, pinholes, image_size=size)
    except DataError as error:
        raise DataError(f"{images_path}: {error}") from None
    return [view.name for view in views], batch.to(dtype)


def _pinhole(camera: ColmapIntrinsics, where: str) -> tuple[float, ...]:
    """The PINHOLE parameters fx, fy, cx, cy."""
    if camera.model not in PINHOLE_PARAMETERS:
        raise DataError(f"{where}: expected a pinhole camera, got model {camera.model} (undistort the images first)")
    if not all(math.isfinite(value) for value in camera.params):
        raise DataError(f"{where}: expected finite parameters, got NaN or infinity")
    count = PINHOLE_PARAMETERS[camera.model]
    if any(value != 0 for value in camera.params[count:]):
        raise DataError(f"{where}: expected no lens distortion, got model {camera.model} (undistort the images first)")
    params = camera.params[:count]
    if min(params[: count - 2]) <= 0:
        raise DataError(f"{where}: expected a positive focal length, got {min(params[: count - 2]):g}")
    return params if count == 4 else (params[0], *params)


def _check_pose(view: ColmapView, path: Path) -> None:
    if not all(math.isfinite(value) for value in (*view.quaternion, *view.translation)):
        raise DataError(f"{path}: image {view.name}: expected finite numbers in its pose, got NaN or infinity")
    length = math.hypot(*view.quaternion)
    if abs(length - 1) > UNIT_TOLERANCE:
        raise DataError(f"{path}: image {view.name}: expected a unit quaternion, got one of length {length:g}")


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except struct.error:
        raise DataError(f"{path}: the file ends too early for a COLMAP model") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: malformed COLMAP file ({error})") from None


# -- text ------------------------------------------------------------------------------------------------------------


def _cameras_from_text(data: bytes) -> dict[int, ColmapIntrinsics]:
    cameras = {}
    for line in data.decode().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        camera_id, model, width, height, *params = line.split()
        expected = dict(MODELS).get(model)
        if expected is not None and len(params) != expected:
            raise DataError(f"camera {camera_id}: expected {expected} parameters for {model}, got {len(params)}")
        size = int(height), int(width)
        cameras[int(camera_id)] = ColmapIntrinsics(model, size, tuple(float(value) for value in params))
    return cameras


def _views_from_text(data: bytes) -> list[ColmapView]:
    views = []
    lines = iter(data.decode().splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        _, qw, qx, qy, qz, tx, ty, tz, camera_id, name = line.strip().split(maxsplit=9)
        pose = [float(value) for value in (qw, qx, qy, qz, tx, ty, tz)]
        views.append(ColmapView(name, int(camera_id), tuple(pose[:4]), tuple(pose[4:])))
        next(lines, None)  # the image's 2-D points, an empty line when it has none
    return views


# -- binary ----------------------------------------------------------------------------------------------------------


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from("<" + layout, self.data, self.position)
        self.position += struct.calcsize("<" + layout)
        return values

    def take_name(self) -> str:
        end = self.data.index(b"\0", self.position)
        name = self.data[self.position : end].decode()
        self.position = end + 1
        return name

    def skip(self, size: int) -> None:
        if self.position + size > len(self.data):
            raise struct.error("the file ends too early")
        self.position += size


def _cameras_from_binary(data: bytes) -> dict[int, ColmapIntrinsics]:
    cursor, cameras = _Cursor(data), {}
    (count,) = cursor.take("Q")
    for _ in range(count):
        camera_id, model_id, width, height = cursor.take("IiQQ")
        if not 0 <= model_id < len(MODELS):
            raise DataError(f"camera {camera_id}: expected a pinhole camera, got model id {model_id}")
        model, parameters = MODELS[model_id]
        cameras[camera_id] = ColmapIntrinsics(model, (height, width), cursor.take(f"{parameters}d"))
    return cameras


def _views_from_binary(data: bytes) -> list[ColmapView]:
    cursor, views = _Cursor(data), []
    (count,) = cursor.take("Q")
    for _ in range(count):
        _, *pose, camera_id = cursor.take("I7dI")
        name = cursor.take_name()
        (points,) = cursor.take("Q")
        cursor.skip(points * struct.calcsize("<ddQ"))
        views.append(ColmapView(name, camera_id, tuple(pose[:4]), tuple(pose[4:])))
    return views
