"""Meshes to be drawn together, as one list of faces with their normals, colours and texture coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.scene.material import Material
from renderer.scene.mesh import Mesh


class Attribute(NamedTuple):
    """Values and the rows of them at the corners of each face."""

    values: Float[Tensor, "B A C"]
    faces: Int[Tensor, "F 3"]


class Surface(NamedTuple):
    """Everything that is drawn.

    `colours` and `uv` are None where no mesh has any. `face_material` is None where there is one material only.
    """

    vertices: Float[Tensor, "B V 3"]
    faces: Int[Tensor, "F 3"]
    normals: Attribute
    colours: Attribute | None
    uv: Attribute | None
    materials: tuple[Material, ...]
    face_material: Int[Tensor, " F"] | None


def make_surface(meshes: Sequence[Mesh]) -> Surface:
    """One surface of several meshes, each with at most one batch dimension, of one dtype and device.

    Raises:
        ValueError: no mesh, or meshes that do not go together.
    """
    meshes = tuple(meshes)
    if not meshes:
        raise ValueError("mesh: expected at least one mesh, got none")
    like = meshes[0].vertices
    for i, mesh in enumerate(meshes):
        if mesh.vertices.ndim > 3:
            raise ValueError(f"mesh[{i}]: expected at most one batch dimension, got {tuple(mesh.vertices.shape)}")
        if (mesh.vertices.dtype, mesh.vertices.device) != (like.dtype, like.device):
            expected, came = f"{like.dtype} on {like.device}", f"{mesh.vertices.dtype} on {mesh.vertices.device}"
            raise ValueError(f"mesh[{i}]: expected {expected} as mesh[0], got {came}")
    materials = tuple(mesh.material or Material() for mesh in meshes)
    vertices, faces = _joined([Attribute(_batched(mesh.vertices), mesh.faces) for mesh in meshes], "vertices")
    normals = _joined([_normals(mesh, material) for mesh, material in zip(meshes, materials, strict=True)], "normals")
    has_colours = any(mesh.vertex_colours is not None or mesh.face_colours is not None for mesh in meshes)
    has_uv = any(mesh.uv is not None for mesh in meshes)
    face_material = None
    if len(meshes) > 1:
        counts = torch.tensor([mesh.num_faces for mesh in meshes], device=like.device)
        face_material = torch.repeat_interleave(torch.arange(len(meshes), device=like.device), counts)
    return Surface(
        vertices,
        faces,
        normals,
        _joined([_colours(mesh) for mesh in meshes], "colours") if has_colours else None,
        _joined([_uv(mesh) for mesh in meshes], "uv") if has_uv else None,
        materials,
        face_material,
    )


def corner_values(attribute: Attribute) -> Float[Tensor, "B F 3 C"]:
    """The values at every corner of every face."""
    return attribute.values[:, attribute.faces]


def _normals(mesh: Mesh, material: Material) -> Attribute:
    if material.normals == "smooth":
        return Attribute(_batched(mesh.vertex_normals), mesh.faces)
    return Attribute(_batched(mesh.face_normals), _one_a_face(mesh))


def _colours(mesh: Mesh) -> Attribute:
    """Vertex colours times face colours; white where there are none."""
    if mesh.vertex_colours is None and mesh.face_colours is None:
        return Attribute(mesh.vertices.new_ones(1, 1, 3), torch.zeros_like(mesh.faces))
    by_face = None if mesh.face_colours is None else _batched(mesh.face_colours).to(mesh.vertices)
    if mesh.vertex_colours is None:
        assert by_face is not None
        return Attribute(by_face, _one_a_face(mesh))
    by_vertex = _batched(mesh.vertex_colours).to(mesh.vertices)
    if by_face is None:
        return Attribute(by_vertex, mesh.faces)
    corners = by_vertex[:, mesh.faces] * by_face.unsqueeze(2)
    own_rows = torch.arange(3 * mesh.num_faces, device=mesh.faces.device).reshape(-1, 3)
    return Attribute(corners.flatten(1, 2), own_rows)


def _uv(mesh: Mesh) -> Attribute:
    if mesh.uv is None or mesh.uv_faces is None:
        return Attribute(mesh.vertices.new_zeros(1, 1, 2), torch.zeros_like(mesh.faces))
    return Attribute(_batched(mesh.uv).to(mesh.vertices), mesh.uv_faces)


def _one_a_face(mesh: Mesh) -> Int[Tensor, "F 3"]:
    return torch.arange(mesh.num_faces, device=mesh.faces.device).unsqueeze(1).expand(-1, 3)


def _batched(values: Tensor) -> Tensor:
    return values.unsqueeze(0) if values.ndim == 2 else values


def _joined(parts: list[Attribute], name: str) -> Attribute:
    """One list of rows after the other, with the indices moved along."""
    if len(parts) == 1:
        return parts[0]
    batch = max(part.values.shape[0] for part in parts)
    faces, first = [], 0
    for i, (values, rows) in enumerate(parts):
        if values.shape[0] not in (1, batch):
            raise ValueError(f"mesh[{i}]: expected {batch} sets of {name} or one, got {values.shape[0]}")
        faces.append(rows + first)
        first += values.shape[1]
    return Attribute(torch.cat([part.values.expand(batch, -1, -1) for part in parts], 1), torch.cat(faces))


def of_material(
    surface: Surface, ids: Int[Tensor, "*shape"] | None, value: Callable[[Material], Tensor], like: Tensor
) -> Tensor:
    """A material's number or colour where each material is seen; `ids` (B, ...) are rows of `surface.materials`.

    Broadcasts to (B, ..., C): (C,) or (B, 1, ..., C) where there is one material only.
    """
    values = [value(material).to(like) for material in surface.materials]
    values = [v.unsqueeze(-1) if v.ndim == 0 else v for v in values]
    if ids is None:
        (only,) = values
        return only if only.ndim == 1 else only.reshape(only.shape[0], *[1] * (like.ndim - 2), only.shape[-1])
    if all(v.ndim == 1 for v in values):
        return torch.stack(values)[ids]
    batch = ids.shape[0]
    table = torch.stack([v.expand(batch, v.shape[-1]) for v in values], 1)
    rows = torch.arange(batch, device=ids.device).reshape(-1, *[1] * (ids.ndim - 1))
    return table[rows, ids]
