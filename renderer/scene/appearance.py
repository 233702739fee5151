"""What a mesh carries besides its shape: a material, texture coordinates, colours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer.scene.errors import DataError
from renderer.scene.material import Material

APPEARANCE = ("material", "uv", "uv_faces", "vertex_colours", "face_colours")
"""The fields of a mesh that say how it looks."""

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def checked_appearance(
    faces: Tensor,
    num_vertices: int,
    *,
    material: Any,
    uv: Any,
    uv_faces: Any,
    vertex_colours: Any,
    face_colours: Any,
) -> dict[str, Any]:
    """The fields of `APPEARANCE` for a mesh of these faces, with `uv_faces` filled in where it may be left out.

    Raises:
        DataError: one line naming the field, what was expected and what came.
    """
    if material is not None and not isinstance(material, Material):
        raise DataError(f"material: expected a Material or None, got {type(material).__name__}")
    _check_rows("vertex_colours", vertex_colours, num_vertices, 3)
    _check_rows("face_colours", face_colours, faces.shape[0], 3)
    if uv is None:
        if uv_faces is not None:
            raise DataError("uv_faces: expected None without uv")
        if material is not None and material.texture is not None:
            raise DataError("uv: expected texture coordinates beside a material with a texture, got None")
    else:
        _check_rows("uv", uv, None, 2)
        uv_faces = _checked_uv_faces(uv, uv_faces, faces, num_vertices)
    return {
        "material": material,
        "uv": uv,
        "uv_faces": uv_faces,
        "vertex_colours": vertex_colours,
        "face_colours": face_colours,
    }


def moved_appearance(fields: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The same fields with every Tensor moved as by `Tensor.to`; indices keep their dtype."""
    moved: dict[str, Any] = {
        name: None if value is None else value.to(*args, **kwargs) for name, value in fields.items()
    }
    if fields["uv_faces"] is not None:
        moved["uv_faces"] = fields["uv_faces"].to(moved["uv"].device)
    return moved


def detached_appearance(fields: dict[str, Any]) -> dict[str, Any]:
    """The same fields cut off from the autograd graph."""
    return {name: None if value is None else value.detach() for name, value in fields.items()}


def _check_rows(name: str, value: Any, rows: int | None, columns: int) -> None:
    if value is None:
        return
    count = "U" if rows is None else str(rows)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        came = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
        raise DataError(f"{name}: expected a floating point Tensor, got {came}")
    shape = tuple(value.shape)
    if len(shape) not in (2, 3) or shape[-1] != columns or (rows is not None and shape[-2] != rows):
        raise DataError(f"{name}: expected shape ({count}, {columns}) or (B, {count}, {columns}), got {shape}")
    if not bool(torch.isfinite(value.detach()).all()):
        raise DataError(f"{name}: expected finite numbers, some are not")


def _checked_uv_faces(uv: Tensor, uv_faces: Any, faces: Tensor, num_vertices: int) -> Tensor:
    rows = uv.shape[-2]
    if uv_faces is None:
        if rows != num_vertices:
            raise DataError(f"uv_faces: expected indices (F, 3), as uv has {rows} rows for {num_vertices} vertices")
        return faces
    if not isinstance(uv_faces, Tensor) or uv_faces.dtype not in _INTEGERS or uv_faces.shape != faces.shape:
        came = f"{uv_faces.dtype} {tuple(uv_faces.shape)}" if isinstance(uv_faces, Tensor) else type(uv_faces).__name__
        raise DataError(f"uv_faces: expected an integer Tensor of shape {tuple(faces.shape)}, got {came}")
    low, high = int(uv_faces.min()), int(uv_faces.max())
    if low < 0 or high >= rows:
        raise DataError(f"uv_faces: expected indices from 0 to {rows - 1}, got {low if low < 0 else high}")
    return uv_faces.to(device=faces.device, dtype=torch.int64)
