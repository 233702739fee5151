"""Cameras in ``transforms.json``: the format of NeRF's synthetic scenes, with the intrinsics of its descendants."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.conventions import flip_axes
from renderer.scene.errors import DataError
from renderer.scene.images import size_text
from renderer.scene.intrinsics import intrinsics
from renderer.scene.pose import FLIP_YZ, check_rigid, inverse_rigid, nearest_rotation, rigid

if TYPE_CHECKING:
    from renderer.scene.camera import Camera

PINHOLE_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL")
"""Camera models that are a pinhole when every distortion coefficient is 0."""

DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")


def parse_transforms(
    transforms: Mapping[str, Any], *, image_size: tuple[int, int] | None = None
) -> tuple[Float[Tensor, "N 4 4"], Float[Tensor, "N 3 3"], tuple[int, int]]:
    """World-to-camera matrices, ``K`` and the image size of all frames, in float64.

    ``transform_matrix`` is camera-to-world in Blender's axes (x right, y up, z backward); its rotation is replaced by
    the nearest exact one. Focal lengths are ``fl_x``, ``fl_y`` in pixels or follow from ``camera_angle_x``,
    ``camera_angle_y`` in radians: fl = size / (2 tan(angle / 2)); one alone serves both axes. The principal point is
    ``cx``, ``cy`` or the middle. A frame's own numbers go before those of the whole file.

    Args:
        transforms: the parsed JSON.
        image_size: (height, width) of the images; needed where the file has no ``w`` and ``h``.

    Raises:
        DataError: one line that names the frame: a missing key, a wrong shape, NaN, a pose that is not rigid, no camera
            angle, lens distortion, sizes that differ.
    """
    frames = frames_of(transforms)
    poses, cameras = [], []
    for i, frame in enumerate(frames):
        where = f"frames[{i}]"
        poses.append(_pose(frame, where))
        fields = {key: value for key, value in {**transforms, **frame}.items() if value is not None}
        image_size = _size(fields, image_size, where)
        _refuse_distortion(fields, where)
        cameras.append(_intrinsics(fields, image_size, where))
    assert image_size is not None
    fx, fy, cx, cy = torch.tensor(cameras, dtype=torch.float64).unbind(1)
    camera_to_world = torch.stack(poses)
    camera_to_world = rigid(nearest_rotation(camera_to_world[:, :3, :3]), camera_to_world[:, :3, 3])
    return flip_axes(inverse_rigid(camera_to_world), FLIP_YZ), intrinsics(fx, fy, cx, cy), image_size


def frames_of(transforms: Any) -> list[Mapping[str, Any]]:
    """The frames, at least one.

    Raises:
        DataError: the JSON is no object, or has no list of frames.
    """
    if not isinstance(transforms, Mapping):
        raise DataError(f"expected a JSON object with frames, got {type(transforms).__name__}")
    if "frames" not in transforms:
        raise DataError("frames: missing")
    frames = transforms["frames"]
    if not isinstance(frames, list) or not frames:
        raise DataError("frames: expected a list with at least one frame")
    for i, frame in enumerate(frames):
        if not isinstance(frame, Mapping):
            raise DataError(f"frames[{i}]: expected a JSON object, got {type(frame).__name__}")
    return frames


def format_transforms(camera: Camera, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The contents of a ``transforms.json``: the inverse of :func:`parse_transforms`.

    Intrinsics that all cameras share stand once for the whole file, with ``camera_angle_x`` for readers that know only
    that; others stand in each frame.

    Raises:
        ValueError: an orthographic camera, skew, or a wrong number of names.
    """
    if camera.projection != "perspective" or bool((camera.K[..., 0, 1] != 0).any()):
        raise ValueError("camera: expected perspective cameras without skew, as transforms.json can hold")
    height, width = camera.image_size
    poses = flip_axes(camera.world_to_camera.detach().cpu().double(), FLIP_YZ).reshape(-1, 4, 4)
    K = camera.K.detach().cpu().double().reshape(-1, 3, 3)
    names = [str(i) for i in range(len(poses))] if names is None else list(names)
    if len(names) != len(poses):
        raise ValueError(f"names: expected {len(poses)}, one a camera, got {len(names)}")
    numbers = [{"fl_x": k[0][0], "fl_y": k[1][1], "cx": k[0][2], "cy": k[1][2]} for k in K.tolist()]
    shared = all(number == numbers[0] for number in numbers)
    frames = [
        {"file_path": name, "transform_matrix": pose, **({} if shared else number)}
        for name, pose, number in zip(names, inverse_rigid(poses).tolist(), numbers, strict=True)
    ]
    whole: dict[str, Any] = {"w": width, "h": height}
    if shared:
        whole = {"camera_angle_x": 2 * math.atan(width / (2 * numbers[0]["fl_x"])), **numbers[0], **whole}
    return {**whole, "frames": frames}


def _pose(frame: Mapping[str, Any], where: str) -> Float[Tensor, "4 4"]:
    name = f"{where}.transform_matrix"
    if "transform_matrix" not in frame:
        raise DataError(f"{name}: missing")
    rows = frame["transform_matrix"]
    if not (isinstance(rows, list) and len(rows) == 4 and all(isinstance(r, list) and len(r) == 4 for r in rows)):
        raise DataError(f"{name}: expected 4 rows of 4 numbers")
    matrix = torch.tensor([[_number(value, name) for value in row] for row in rows], dtype=torch.float64)
    check_rigid(matrix, name=name)
    return matrix


def _size(fields: Mapping[str, Any], image_size: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """The image size, which the file's ``w`` and ``h`` must agree with."""
    if "w" not in fields and "h" not in fields:
        if image_size is None:
            raise DataError(f"{where}: no w and h, and no image_size was given")
        return image_size
    if "w" not in fields or "h" not in fields:
        raise DataError(f"{where}: expected w and h together, got only one of them")
    height, width = _number(fields["h"], f"{where}.h"), _number(fields["w"], f"{where}.w")
    if height != int(height) or width != int(width) or height < 1 or width < 1:
        raise DataError(f"{where}: expected w and h in whole pixels, got {width:g} and {height:g}")
    size = int(height), int(width)
    if image_size is not None and size != tuple(image_size):
        raise DataError(f"{where}: expected images of {size_text(size)} as w and h say, got {size_text(image_size)}")
    return size


def _intrinsics(
    fields: Mapping[str, Any], image_size: tuple[int, int], where: str
) -> tuple[float, float, float, float]:
    height, width = image_size
    fx = _focal(fields, "fl_x", "camera_angle_x", width, where)
    fy = _focal(fields, "fl_y", "camera_angle_y", height, where)
    if fx is None or fy is None:
        known = fx or fy
        if known is None:
            raise DataError(f"{where}: no camera angle: expected camera_angle_x or fl_x")
        fx = fy = known
    cx = _number(fields.get("cx", width / 2), f"{where}.cx")
    cy = _number(fields.get("cy", height / 2), f"{where}.cy")
    return fx, fy, cx, cy


def _focal(fields: Mapping[str, Any], focal_key: str, angle_key: str, size: int, where: str) -> float | None:
    if focal_key in fields:
        focal = _number(fields[focal_key], f"{where}.{focal_key}")
        if focal <= 0:
            raise DataError(f"{where}.{focal_key}: expected a positive focal length, got {focal:g}")
        return focal
    if angle_key not in fields:
        return None
    angle = _number(fields[angle_key], f"{where}.{angle_key}")
    if not 0 < angle < math.pi:
        raise DataError(f"{where}.{angle_key}: expected radians between 0 and π, got {angle:g}")
    return size / (2 * math.tan(angle / 2))


def _refuse_distortion(fields: Mapping[str, Any], where: str) -> None:
    model = fields.get("camera_model", "PINHOLE")
    if model not in PINHOLE_MODELS or fields.get("is_fisheye"):
        raise DataError(f"{where}: expected a pinhole camera, got camera_model {model} (undistort the images first)")
    for key in DISTORTION:
        if key in fields and _number(fields[key], f"{where}.{key}") != 0:
            raise DataError(
                f"{where}: expected no lens distortion, got {key} = {fields[key]} (undistort the images first)"
            )


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{name}: expected a number, got {value!r}")
    if not math.isfinite(value):
        raise DataError(f"{name}: expected finite numbers, got {value}")
    return float(value)
