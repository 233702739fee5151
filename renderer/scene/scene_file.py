"""Scenes in files: ``scene.toml`` beside the meshes, GLB, or a mesh alone.

A ``scene.toml`` says, with everything but the meshes optional::

    background = "#f1f3f6"             # sRGB, or linear [r, g, b]
    up = [0, 0, 1]                     # default [0, 1, 0]

    [[mesh]]
    file = "mesh.ply"                  # beside the TOML file; OBJ, PLY, STL, OFF or GLB
    name = "teapot"
    position = [0, 0, 0]               # world units
    rotation = [0, 0, 90]              # degrees about x, then y, then z
    scale = 1.0
    [mesh.material]                    # in place of the file's own; any of
    base_colour = [0.45, 0.60, 0.66]   # base_colour, texture (an image file), specular, shininess,
    normals = "smooth"                 # normals, texture_filter, texture_wrap

    [[camera]]                         # the first is the default
    name = "front"
    eye = [3, 1, 2]
    target = [0, 0, 0]
    image_size = [256, 256]            # height, width
    fov_y = 45                         # degrees; or view_height = 2.0, which makes it orthographic

    [[camera]]                         # or many at once
    name = "test"
    transforms = "transforms_test.json"
    image_size = [256, 256]

    [[light]]
    kind = "ambient"                   # colour
    [[light]]
    kind = "directional"               # to_light, colour
    [[light]]
    kind = "point"                     # position, colour, falloff
    [[light]]
    kind = "hemisphere"                # sky, ground (up as above)
    [[light]]
    kind = "spherical_harmonics"       # coefficients: 1, 4 or 9 rows of r g b
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from renderer.scene.camera import DEFAULT_FOV, DEFAULT_NEAR, Camera
from renderer.scene.colours import as_colour, as_numbers
from renderer.scene.errors import DataError
from renderer.scene.files import MESH_EXTENSIONS, Part, load_parts
from renderer.scene.gltf import read_cameras_and_lights
from renderer.scene.intrinsics import as_size
from renderer.scene.lights import (
    AmbientLight,
    DirectionalLight,
    Light,
    Lights,
    PointLight,
    SphericalHarmonicsLight,
)
from renderer.scene.material import Material
from renderer.scene.scene import Scene
from renderer.scene.textures import read_texture

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "scene.toml"
DEFAULT_SIZE = (512, 512)
Table = Mapping[str, Any]


def load_scene(path: str | Path, *, dtype: torch.dtype = torch.float32) -> Scene:
    """Read a folder with a ``scene.toml``, such a file, a GLB with its cameras and lights, or any mesh file.

    Raises:
        DataError: one line that names the file, and the entry in it.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / FILE_NAME).is_file():
            raise DataError(f"{path}: expected a folder with {FILE_NAME}, found none")
        path = path / FILE_NAME
    extension = path.suffix.lower()
    if extension == ".toml":
        return _load_toml(path, dtype)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if extension not in MESH_EXTENSIONS:
        raise DataError(f"{path}: expected a folder, a .toml file, or a mesh ending in {', '.join(MESH_EXTENSIONS)}")
    parts = load_parts(path, dtype=dtype)
    if extension != ".glb":
        return Scene(parts)
    cameras, lights = read_cameras_and_lights(path, image_size=DEFAULT_SIZE, dtype=dtype)
    return Scene(parts, cameras=cameras, lights=lights if len(lights) else None)


def _load_toml(path: Path, dtype: torch.dtype) -> Scene:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as TOML ({str(error).splitlines()[0]})") from None
    try:
        _check_keys(table, ("background", "up", "mesh", "camera", "light"), "the file")
        x, y, z = as_numbers(table.get("up", (0.0, 1.0, 0.0)), 3, name="up")
        if x == y == z == 0:
            raise DataError("up: expected a direction, got 0 0 0")
        up = (x, y, z)
        parts = [part for where, entry in _entries(table, "mesh") for part in _mesh(entry, where, path, dtype)]
        if not parts:
            raise DataError("mesh: expected at least one [[mesh]], found none")
        cameras: dict[str, Camera] = {}
        for where, entry in _entries(table, "camera"):
            name = _text(entry, "name", where) or f"camera {len(cameras)}"
            if name in cameras:
                raise DataError(f"{where}.name: expected a name of its own, got {name!r} again")
            cameras[name] = _camera(entry, where, path, up, dtype)
        lights = [_light(entry, where, up) for where, entry in _entries(table, "light")]
        return Scene(
            parts,
            cameras=cameras,
            lights=Lights(*lights).to(dtype) if lights else None,
            background=as_colour(table.get("background", 0.0), name="background").to(dtype),
            up=up,
        )
    except (ValueError, TypeError) as error:
        text = str(error)
        raise DataError(text if text.startswith(str(path.parent) + os.sep) else f"{path}: {text}") from None


def _entries(table: Table, key: str) -> list[tuple[str, Table]]:
    entries = table.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{key}: expected [[{key}]] tables")
    return [(f"{key}[{i}]", entry) for i, entry in enumerate(entries)]


def _check_keys(table: Table, known: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise DataError(f"{where}: expected only {', '.join(known)}, got {unknown[0]}")


def _mesh(entry: Table, where: str, path: Path, dtype: torch.dtype) -> list[Part]:
    _check_keys(entry, ("file", "name", "position", "rotation", "scale", "matrix", "material"), where)
    file, name = _text(entry, "file", where), _text(entry, "name", where)
    if file is None:
        raise DataError(f'{where}: expected file = "...", got none')
    parts = load_parts(path.parent / file, dtype=dtype)
    transform = _transform(entry, where).to(dtype)
    material = _material(entry["material"], f"{where}.material", path) if "material" in entry else None
    made = []
    for part in parts:
        mesh = part.mesh
        if material is not None:
            try:
                mesh = mesh.with_appearance(material=material.to(dtype))
            except DataError as error:
                raise DataError(f"{where}.material: {error}") from None
        own = part.name if name is None else name if len(parts) == 1 else f"{name} {part.name}"
        made.append(Part(own, mesh, transform @ part.transform))
    return made


def _transform(entry: Table, where: str) -> Tensor:
    if "matrix" in entry:
        both = [key for key in ("position", "rotation", "scale") if key in entry]
        if both:
            raise DataError(f"{where}: expected either matrix or {both[0]}, got both")
        rows = entry["matrix"]
        if not isinstance(rows, list) or len(rows) != 4:
            raise DataError(f"{where}.matrix: expected 4 rows of 4 numbers, got {rows!r}")
        matrix = torch.tensor([as_numbers(row, 4, name=f"{where}.matrix") for row in rows], dtype=torch.float64)
        if matrix[3].tolist() != [0, 0, 0, 1] or float(torch.linalg.det(matrix)) == 0:
            raise DataError(f"{where}.matrix: expected an invertible matrix with the last row 0 0 0 1, got {rows}")
        return matrix
    matrix = torch.eye(4, dtype=torch.float64)
    for axis, degrees in enumerate(as_numbers(entry.get("rotation", (0, 0, 0)), 3, name=f"{where}.rotation")):
        turn = torch.eye(4, dtype=torch.float64)
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = cosine, -sine, sine, cosine
        matrix = turn @ matrix
    scale = entry.get("scale", 1.0)
    factors = as_numbers([scale] * 3 if isinstance(scale, int | float) else scale, 3, name=f"{where}.scale")
    if 0.0 in factors:
        raise DataError(f"{where}.scale: expected factors other than 0, got {scale!r}")
    matrix[:3, :3] = matrix[:3, :3] * torch.tensor(factors, dtype=torch.float64)
    matrix[:3, 3] = torch.tensor(as_numbers(entry.get("position", (0, 0, 0)), 3, name=f"{where}.position"))
    return matrix


def _material(entry: Any, where: str, path: Path) -> Material:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: expected a table, got {entry!r}")
    known = ("base_colour", "texture", "specular", "shininess", "normals", "texture_filter", "texture_wrap")
    _check_keys(entry, known, where)
    fields = dict(entry)
    if "texture" in fields:
        fields["texture"] = read_texture(path.parent / str(_text(entry, "texture", where)))
    return _named(where, lambda: Material(**fields))


def _camera(entry: Table, where: str, path: Path, up: tuple[float, float, float], dtype: torch.dtype) -> Camera:
    _check_keys(
        entry, ("name", "eye", "target", "up", "image_size", "fov_y", "view_height", "near", "transforms"), where
    )
    size = _named(where, lambda: as_size(entry.get("image_size", DEFAULT_SIZE)))
    near = _number(entry, "near", where, DEFAULT_NEAR)
    transforms = _text(entry, "transforms", where)
    if transforms is not None:
        beside = [key for key in ("eye", "target", "up", "fov_y", "view_height") if key in entry]
        if beside:
            raise DataError(f"{where}: expected either transforms or {beside[0]}, got both")
        file = path.parent / transforms
        try:
            contents = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: cannot be read as JSON ({type(error).__name__})") from None
        try:
            return Camera.from_blender_transforms(
                contents, image_size=size if "image_size" in entry else None, dtype=dtype, near=near
            )
        except ValueError as error:
            raise DataError(f"{file}: {error}") from None
    if "eye" not in entry:
        raise DataError(f"{where}: expected eye or transforms, got neither")
    if "fov_y" in entry and "view_height" in entry:
        raise DataError(f"{where}: expected either fov_y or view_height, got both")
    eye, target, upward = (
        torch.tensor(as_numbers(entry.get(key, default), 3, name=f"{where}.{key}"), dtype=dtype)
        for key, default in (("eye", None), ("target", (0.0, 0.0, 0.0)), ("up", up))
    )
    fov_y, view_height = _number(entry, "fov_y", where, DEFAULT_FOV), _number(entry, "view_height", where, 2.0)
    return _named(
        where,
        lambda: Camera.look_at(
            eye,
            target,
            upward,
            image_size=size,
            fov_y=fov_y,
            projection="orthographic" if "view_height" in entry else "perspective",
            view_height=view_height,
            near=near,
        ),
    )


_LIGHTS: dict[str, tuple[type[Light], tuple[str, ...]]] = {
    "ambient": (AmbientLight, ("colour",)),
    "directional": (DirectionalLight, ("to_light", "colour")),
    "point": (PointLight, ("position", "colour", "falloff")),
}


def _light(entry: Table, where: str, up: tuple[float, float, float]) -> Light:
    kind, fields = _text(entry, "kind", where), {key: value for key, value in entry.items() if key != "kind"}
    if kind == "hemisphere":
        _check_keys(fields, ("sky", "ground"), where)
        sky, ground = fields.get("sky", 1.0), fields.get("ground", 0.0)
        return _named(where, lambda: SphericalHarmonicsLight.hemisphere(sky, ground, up=up))
    if kind == "spherical_harmonics":
        _check_keys(fields, ("coefficients",), where)
        rows = fields.get("coefficients")
        if not isinstance(rows, list):
            raise DataError(f"{where}.coefficients: expected rows of 3 numbers, got {rows!r}")
        values = torch.tensor([as_numbers(row, 3, name=f"{where}.coefficients") for row in rows])
        return _named(where, lambda: SphericalHarmonicsLight(values))
    if kind is None or kind not in _LIGHTS:
        expected = ", ".join([*_LIGHTS, "hemisphere", "spherical_harmonics"])
        raise DataError(f"{where}.kind: expected one of {expected}, got {kind!r}")
    make, known = _LIGHTS[kind]
    _check_keys(fields, known, where)
    return _named(where, lambda: cast(Any, make)(**fields))


def _text(entry: Table, key: str, where: str) -> str | None:
    value = entry.get(key)
    if not isinstance(value, str | None):
        raise DataError(f"{where}.{key}: expected text, got {value!r}")
    return value


def _number(entry: Table, key: str, where: str, default: float) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{where}.{key}: expected a number, got {value!r}")
    return float(value)


def _named(where: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, or its error with the entry in front."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}.{error}") from None
