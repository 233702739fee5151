"""How meshes look, to and from trimesh, which reads and writes GLB and PLY for us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from renderer.scene.colours import encoded_colours, linear_from_srgb
from renderer.scene.errors import DataError
from renderer.scene.material import Material
from renderer.scene.textures import texture_from_pixels, texture_pixels

if TYPE_CHECKING:
    import trimesh

    from renderer.scene.mesh import Mesh

Encoding = Literal["srgb", "linear"]
"""Of 8-bit vertex and face colours: PLY's are what a screen shows, glTF's are linear."""


def appearance_from_trimesh(mesh: trimesh.Trimesh, *, encoding: Encoding, dtype: torch.dtype) -> dict[str, Any]:
    """The fields of `renderer.scene.appearance.APPEARANCE` that a `trimesh.Trimesh` has.

    A base colour multiplies its texture, as in glTF. Metalness and roughness have no equal here and are left.
    """
    visual: Any = mesh.visual
    fields: dict[str, Any] = {}
    if visual.kind == "texture":
        uv = getattr(visual, "uv", None)
        if uv is not None and len(uv) == len(mesh.vertices):
            fields["uv"] = torch.tensor(np.asarray(uv), dtype=dtype)
        fields["material"] = _material(visual.material, has_uv="uv" in fields)
        colours = getattr(visual, "vertex_attributes", {}).get("color")
        if colours is not None and len(colours) == len(mesh.vertices):
            fields["vertex_colours"] = _decoded(np.asarray(colours), encoding, dtype)
    elif visual.kind == "vertex":
        fields["vertex_colours"] = _decoded(np.asarray(visual.vertex_colors), encoding, dtype)
    elif visual.kind == "face":
        fields["face_colours"] = _decoded(np.asarray(visual.face_colors), encoding, dtype)
    return {name: value for name, value in fields.items() if value is not None}


def _material(material: Any, *, has_uv: bool) -> Material | None:
    if hasattr(material, "baseColorTexture"):
        image, factor = material.baseColorTexture, material.baseColorFactor
        base = None if factor is None else _factor(factor)
    else:
        image, base = getattr(material, "image", None), None
        if getattr(material, "diffuse", None) is not None and image is None:
            base = torch.tensor(np.asarray(material.diffuse)[:3] / 255, dtype=torch.float32)
    if image is None and base is None:
        return None
    if image is not None and not has_uv:
        raise DataError("a texture without texture coordinates")
    texture = None if image is None else texture_from_pixels(np.asarray(image.convert("RGB")), "texture")
    return Material(1.0 if base is None else base, texture=texture)


def _factor(value: Any) -> Tensor:
    """trimesh holds base colours as 8-bit numbers of the linear factor, or as the factor itself."""
    numbers = np.asarray(value)[:3]
    scaled = numbers / 255 if np.issubdtype(numbers.dtype, np.integer) else numbers
    return torch.tensor(scaled, dtype=torch.float32)


def _decoded(colours: np.ndarray, encoding: Encoding, dtype: torch.dtype) -> Tensor:
    scaled = torch.tensor(colours[:, :3] / (255 if np.issubdtype(colours.dtype, np.integer) else 1))
    return (linear_from_srgb(scaled) if encoding == "srgb" else scaled).to(dtype)


def check_single(mesh: Mesh) -> None:
    """Raise ValueError where the mesh or its look is a batch, which no file holds."""
    if mesh.vertices.ndim != 2:
        raise ValueError(f"vertices: expected one mesh, shape (V, 3), got {tuple(mesh.vertices.shape)}")
    for name, value in mesh.appearance.items():
        if isinstance(value, Tensor) and value.ndim > 2:
            raise ValueError(f"{name}: expected one mesh, got a batch of shape {tuple(value.shape)}")
    for name in ("base_colour", "specular"):
        colour = getattr(mesh.material, name, None)
        if colour is not None and colour.ndim > 1:
            raise ValueError(f"{name}: expected one colour, got a batch of shape {tuple(colour.shape)}")


def to_trimesh_with_appearance(mesh: Mesh, *, encoding: Encoding) -> trimesh.Trimesh:
    """A `trimesh.Trimesh` that looks the same, its vertices repeated where texture or face colours jump.

    Raises:
        ValueError: batch dimensions; colours outside [0, 1]; a texture together with vertex or face colours, which
            trimesh cannot write.
    """
    import PIL.Image
    import trimesh

    check_single(mesh)
    vertices, faces = mesh.vertices.detach().cpu().double().numpy(), mesh.faces.cpu().numpy()
    material = mesh.material
    coloured = mesh.vertex_colours is not None or mesh.face_colours is not None
    if coloured:
        if material is not None and material.texture is not None:
            raise ValueError("material: expected no texture beside vertex or face colours, which GLB files do not hold")
        colours = _corner_colours(mesh)
        rows = np.concatenate([faces.reshape(-1, 1), colours.reshape(-1, 3)], axis=1)
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        made = trimesh.Trimesh(vertices[unique[:, 0].astype(int)], inverse.reshape(-1, 3), process=False)
        made.visual = trimesh.visual.ColorVisuals(made, vertex_colors=_encoded(unique[:, 1:], encoding))
        return made
    if material is None:
        return mesh.to_trimesh()
    image = None
    if material.texture is not None:
        image = PIL.Image.fromarray(texture_pixels(material.texture))
    factor = [*material.base_colour.detach().cpu().tolist(), 1.0]
    if not (min(factor) >= 0 and max(factor) <= 1):
        raise ValueError(f"base_colour: expected values in [0, 1], as in glTF, got {factor[:3]}")
    pbr = trimesh.visual.material.PBRMaterial(
        baseColorFactor=factor, baseColorTexture=image, metallicFactor=0.0, roughnessFactor=1.0
    )
    if mesh.uv is None or mesh.uv_faces is None:
        made = mesh.to_trimesh()
        made.visual = trimesh.visual.TextureVisuals(material=pbr)
        return made
    pairs = np.stack([faces, mesh.uv_faces.cpu().numpy()], axis=-1).reshape(-1, 2)
    if np.array_equal(pairs[:, 0], pairs[:, 1]):
        made, rows = mesh.to_trimesh(), np.arange(len(vertices))
    else:
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        made = trimesh.Trimesh(vertices[unique[:, 0]], inverse.reshape(-1, 3), process=False)
        rows = unique[:, 1]
    uv = mesh.uv.detach().cpu().double().numpy()[rows]
    made.visual = trimesh.visual.TextureVisuals(uv=uv, material=pbr)
    return made


def _corner_colours(mesh: Mesh) -> np.ndarray:
    """Linear RGB at the corners of the faces, (F, 3, 3), with the material's colour."""
    colours = torch.ones(mesh.num_faces, 3, 3, dtype=torch.float64)
    if mesh.vertex_colours is not None:
        colours = colours * mesh.vertex_colours.detach().cpu().double()[mesh.faces.cpu()]
    if mesh.face_colours is not None:
        colours = colours * mesh.face_colours.detach().cpu().double().unsqueeze(1)
    if mesh.material is not None:
        colours = colours * mesh.material.base_colour.detach().cpu().double()
    return colours.numpy()


def _encoded(colours: np.ndarray, encoding: Encoding) -> np.ndarray:
    values = encoded_colours(torch.from_numpy(colours), name="colours").numpy()
    if encoding == "linear":
        values = colours
    opaque = np.full((len(values), 1), 255)
    return np.concatenate([np.round(values * 255), opaque], axis=1).astype(np.uint8)
