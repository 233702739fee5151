"""Mesh files: OBJ and OFF as text, PLY, STL and GLB through trimesh."""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene import obj
from renderer.scene.colours import as_colour
from renderer.scene.errors import DataError
from renderer.scene.glb import with_base_colour, with_numbered_materials
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh
from renderer.scene.textures import encode_texture
from renderer.scene.trimesh_visuals import appearance_from_trimesh, check_single, to_trimesh_with_appearance

if TYPE_CHECKING:
    import trimesh

MESH_EXTENSIONS = (".obj", ".ply", ".stl", ".off", ".glb")


SEVERAL_TEXTURES = "several materials with textures: Scene.load keeps them apart, appearance=False leaves them out"


class Part(NamedTuple):
    """One mesh of a file, in its own axes, and where it stands in the world (4, 4)."""

    name: str
    mesh: Mesh
    transform: Float[Tensor, "4 4"]


def load_mesh(path: str | Path, *, appearance: bool = True, dtype: torch.dtype = torch.float32) -> Mesh:
    """Read an OBJ, PLY, STL, OFF or GLB file as one mesh.

    Vertices keep their order and are neither merged nor split, except that corners at exactly the same place become one
    in STL, which has no shared vertices, and in textured GLB, which repeats vertices where the texture has a seam.
    Polygons become fans of triangles. Several objects become one mesh; their colours then become face colours.
    OBJ is read here, since trimesh splits its vertices where the texture has a seam, which tears a closed surface.

    Args:
        appearance: also read materials (OBJ with MTL, GLB), textures and colours (OBJ, PLY, GLB). An OBJ file whose
            material library is not there has no material.

    Raises:
        DataError: a missing or unreadable file, no faces, NaN, an index out of range, a missing texture, or several
            textures, which :meth:`renderer.scene.Scene.load` keeps apart; one line that names the file.

    Example:
        >>> load_mesh("bunny.obj").is_watertight
    """
    path = Path(path)
    extension = _extension(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if not appearance and extension != ".obj":
            vertices, faces = _read_with_trimesh(path, extension)
            if extension == ".stl" and len(vertices):
                vertices, faces = _merge_equal(vertices, faces)
            return Mesh(torch.tensor(vertices.reshape(-1, 3), dtype=dtype), torch.tensor(faces.reshape(-1, 3)))
        if extension == ".obj":
            content = obj.read_obj(path)
            return _obj_mesh(content, _obj_materials(content, path) if appearance else {}, dtype, appearance)
        return merge_meshes([placed(part) for part in _parts(path, extension, dtype)])
    except DataError as error:
        raise DataError(_naming(path, error)) from None


def load_parts(path: str | Path, *, dtype: torch.dtype = torch.float32) -> list[Part]:
    """Read a mesh file as its parts: the objects of a GLB file, one for each material of an OBJ file.

    Raises:
        DataError: as :func:`load_mesh`.
    """
    path = Path(path)
    extension = _extension(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if extension != ".obj":
            return _parts(path, extension, dtype)
        content = obj.read_obj(path)
        materials = _obj_materials(content, path)
        if len(np.unique(content.face_material)) <= 1:
            return [Part(path.stem, _obj_mesh(content, materials, dtype, True), torch.eye(4, dtype=dtype))]
        parts = []
        for index in np.unique(content.face_material).tolist():
            chosen = content.face_material == index
            used, rows = np.unique(content.faces[chosen], return_inverse=True)
            group = replace(
                content,
                vertices=content.vertices[used],
                faces=rows.reshape(-1, 3),
                colours=content.colours[used] if len(content.colours) else content.colours,
                uv_faces=content.uv_faces[chosen],
                face_material=content.face_material[chosen],
            )
            name = path.stem if index < 0 else content.materials[index]
            parts.append(Part(name, _obj_mesh(group, materials, dtype, True), torch.eye(4, dtype=dtype)))
        return parts
    except DataError as error:
        raise DataError(_naming(path, error)) from None


def placed(part: Part) -> Mesh:
    """The mesh of a part in world axes; differentiable in the vertices and the transform.

    A transform that mirrors turns the faces round, so that they still look outward.
    """
    transform = part.transform.to(part.mesh.vertices)
    if bool((transform.detach() == torch.eye(4, dtype=transform.dtype, device=transform.device)).all()):
        return part.mesh
    moved = part.mesh.with_vertices(part.mesh.vertices @ transform[:3, :3].T + transform[:3, 3])
    if float(torch.linalg.det(transform[:3, :3].detach())) > 0:
        return moved
    fields = moved.appearance
    if moved.uv_faces is not None:
        fields["uv_faces"] = moved.uv_faces.flip(1)
    return Mesh(moved.vertices, moved.faces.flip(1), **fields)


def merge_meshes(meshes: list[Mesh]) -> Mesh:
    """One mesh of several, one after the other; where they look different, their colours become face colours.

    Raises:
        DataError: no mesh, several textures, or face colours that would have to be both.
    """
    if not meshes:
        raise DataError("faces: expected at least one face, got none")
    if len(meshes) == 1:
        return meshes[0]
    if any(mesh.material is not None and mesh.material.texture is not None for mesh in meshes):
        raise DataError(SEVERAL_TEXTURES)
    counts = [mesh.num_vertices for mesh in meshes]
    first = [sum(counts[:i]) for i in range(len(counts))]
    vertices = torch.cat([mesh.vertices for mesh in meshes], -2)
    faces = torch.cat([mesh.faces + start for mesh, start in zip(meshes, first, strict=True)])
    if all(mesh.material is None and mesh.vertex_colours is None and mesh.face_colours is None for mesh in meshes):
        return Mesh(vertices, faces)
    by_vertex, by_face = [], []
    for mesh in meshes:
        base = vertices.new_ones(3) if mesh.material is None else mesh.material.base_colour.to(vertices)
        face_colours = vertices.new_ones(mesh.num_faces, 3) if mesh.face_colours is None else mesh.face_colours
        by_face.append(base * face_colours)
        by_vertex.append(
            vertices.new_ones(mesh.num_vertices, 3) if mesh.vertex_colours is None else mesh.vertex_colours
        )
    has_vertex_colours = any(mesh.vertex_colours is not None for mesh in meshes)
    return Mesh(
        vertices,
        faces,
        face_colours=torch.cat(by_face),
        vertex_colours=torch.cat(by_vertex) if has_vertex_colours else None,
    )


def save_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write OBJ, PLY, STL, OFF or GLB, by extension; an existing file is replaced only once the new one is complete.

    OBJ and OFF keep every digit of the positions; PLY, STL and GLB store float32. OBJ stores the material in a file
    NAME.mtl and the texture in NAME.png beside it (8-bit sRGB). GLB stores base colour, texture and colours, and
    repeats vertices at seams. PLY stores colours, the base colour among them, in 8 bits; STL and OFF store shape only.
    Normals "flat", and in GLB and PLY the highlight, have no place in files.

    Raises:
        ValueError: the mesh or its look has batch dimensions, or colours or a texture that the format cannot hold.
        DataError: an unknown extension.
    """
    path = Path(path)
    extension = _extension(path)
    beside: dict[Path, bytes] = {}
    check_single(mesh)
    _check_holds(mesh, extension)
    if extension == ".obj":
        data = _obj_files(mesh, path, beside).encode()
    elif extension == ".off":
        data = _format_off(mesh).encode()
    else:
        triangles = mesh.to_trimesh()
        if extension == ".glb":
            triangles = to_trimesh_with_appearance(mesh, encoding="linear")
        elif extension == ".ply":
            triangles = to_trimesh_with_appearance(_with_colours_only(mesh), encoding="srgb")
        exported = triangles.export(file_type=extension[1:])
        assert isinstance(exported, bytes)  # all three are binary formats
        data = exported
        coloured = mesh.vertex_colours is not None or mesh.face_colours is not None
        if extension == ".glb" and mesh.material is not None and not coloured:
            data = with_base_colour(data, mesh.material.base_colour.detach().cpu().tolist())
    for file, content in beside.items():
        _replace_file(file, content)
    _replace_file(path, data)


def _check_holds(mesh: Mesh, extension: str) -> None:
    """Raise ValueError where the format has no place for what the mesh looks like."""
    refused = {
        ".obj": ("face_colours",),
        ".ply": ("texture",),
        ".stl": ("material", "texture", "vertex_colours", "face_colours"),
        ".off": ("material", "texture", "vertex_colours", "face_colours"),
        ".glb": (),
    }[extension]
    texture = None if mesh.material is None else mesh.material.texture
    for name, value in {**mesh.appearance, "texture": texture}.items():
        if value is not None and name in refused:
            kind = extension[1:].upper()
            raise ValueError(
                f"{name}: expected none, as {kind} files have no place for it; Mesh(vertices, faces) has none"
            )


def _with_colours_only(mesh: Mesh) -> Mesh:
    """The same mesh with its base colour among its vertex colours."""
    if mesh.material is None:
        return mesh.with_appearance(uv=None, uv_faces=None)
    white = torch.ones_like(mesh.vertices)
    colours = (white if mesh.vertex_colours is None else mesh.vertex_colours) * mesh.material.base_colour.to(white)
    return mesh.with_appearance(material=None, uv=None, uv_faces=None, vertex_colours=colours)


def _obj_files(mesh: Mesh, path: Path, beside: dict[Path, bytes]) -> str:
    """The OBJ text; the files that go with it are added to `beside`."""
    material = mesh.material
    if material is None:
        return obj.format_obj(mesh, None)
    if material.texture is not None:
        beside[path.with_suffix(".png")] = encode_texture(material.texture)
    texture = None if material.texture is None else path.with_suffix(".png").name
    beside[path.with_suffix(".mtl")] = obj.format_materials(material, texture).encode()
    return obj.format_obj(mesh, path.with_suffix(".mtl").name)


def _replace_file(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _obj_materials(content: obj.ObjFile, path: Path) -> dict[str, Material]:
    found: dict[str, Material] = {}
    for library in content.libraries:
        for file in obj.library_files(path.parent, library):
            found.update(obj.read_materials(file))
    return found


def _obj_mesh(content: obj.ObjFile, materials: dict[str, Material], dtype: torch.dtype, appearance: bool) -> Mesh:
    vertices, faces = torch.tensor(content.vertices, dtype=dtype), torch.tensor(content.faces)
    if not appearance:
        return Mesh(vertices, faces)
    names = [None if i < 0 else content.materials[i] for i in np.unique(content.face_material).tolist()]
    looks = [None if name is None else materials.get(name) for name in names]
    textured = [look for look in looks if look is not None and look.texture is not None]
    if textured and len(looks) > 1:
        raise DataError(SEVERAL_TEXTURES)
    has_uv = len(content.uv) > 0 and content.uv_faces.size > 0 and content.uv_faces.min() >= 0
    if textured and not has_uv:
        raise DataError("expected texture coordinates at every corner of a textured face, some have none")
    face_colours = None
    if len(looks) > 1 and any(look is not None for look in looks):
        white = torch.ones(3)
        table = torch.stack([white if look is None else look.base_colour.to(white) for look in looks]).to(dtype)
        face_colours = table[torch.tensor(np.unique(content.face_material, return_inverse=True)[1].reshape(-1))]
    uv = torch.tensor(content.uv, dtype=dtype) if has_uv else None
    return Mesh(
        vertices,
        faces,
        material=looks[0] if len(looks) == 1 else None,
        uv=uv,
        uv_faces=torch.tensor(content.uv_faces) if has_uv else None,
        vertex_colours=torch.tensor(content.colours, dtype=dtype) if len(content.colours) else None,
        face_colours=face_colours,
    )


def _parts(path: Path, extension: str, dtype: torch.dtype) -> list[Part]:
    """The objects that trimesh finds in a file, with their colours and textures."""
    import trimesh

    factors: list[list[float] | None] = []
    try:
        data = path.read_bytes()
        if extension == ".glb":
            data, factors = with_numbered_materials(data)
        # fix_texture would split the vertices of a PLY where its texture has a seam.
        options: dict[str, Any] = {"fix_texture": False} if extension == ".ply" else {}
        scene = trimesh.load_scene(io.BytesIO(data), file_type=extension[1:], process=False, **options)
    except Exception as error:  # a broken file can make a parser raise anything
        raise DataError(f"cannot be read as {extension[1:].upper()} ({_first_line(error)})") from None
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh):
            mesh = _with_exact_base_colour(mesh_from_trimesh(geometry, extension, dtype), geometry, factors)
            parts.append(Part(str(node), mesh, torch.tensor(transform, dtype=dtype)))
    if not parts:
        raise DataError("faces: expected at least one face, got none")
    return parts


def _with_exact_base_colour(mesh: Mesh, geometry: trimesh.Trimesh, factors: list[list[float] | None]) -> Mesh:
    """The mesh with the base colour of the file, of which trimesh keeps 8 bits; the material's name is its row."""
    name = getattr(getattr(geometry.visual, "material", None), "name", None)
    if mesh.material is None or not (isinstance(name, str) and name.isdecimal() and int(name) < len(factors)):
        return mesh
    factor = factors[int(name)] or [1.0, 1.0, 1.0, 1.0]
    return mesh.with_appearance(
        material=replace(mesh.material, base_colour=as_colour(factor[:3], name="baseColorFactor"))
    )


def mesh_from_trimesh(geometry: trimesh.Trimesh, extension: str, dtype: torch.dtype) -> Mesh:
    """A mesh as trimesh read it from a file of this kind."""
    vertices = np.asarray(geometry.vertices, dtype=np.float64)
    faces = np.asarray(geometry.faces, dtype=np.int64).reshape(-1, 3)
    fields = appearance_from_trimesh(geometry, encoding="linear" if extension == ".glb" else "srgb", dtype=dtype)
    if extension == ".stl":
        vertices, faces = _merge_equal(vertices, faces)
    elif "uv" in fields and extension == ".glb" and "vertex_colours" not in fields:
        fields["uv_faces"] = torch.tensor(faces)
        vertices, faces = _merge_equal(vertices, faces)
    return Mesh(torch.tensor(vertices.reshape(-1, 3), dtype=dtype), torch.tensor(faces), **fields)


def _naming(path: Path, error: DataError) -> str:
    """The error's line with the file in front, unless it names a file of its own beside this one."""
    text = str(error)
    return text if text.startswith(str(path.parent) + os.sep) else f"{path}: {text}"


def _extension(path: Path) -> str:
    extension = path.suffix.lower()
    if extension not in MESH_EXTENSIONS:
        raise DataError(f"{path}: expected a mesh file ending in {', '.join(MESH_EXTENSIONS)}")
    return extension


def _read_with_trimesh(path: Path, extension: str) -> tuple[np.ndarray, np.ndarray]:
    import trimesh

    try:
        with path.open("rb") as file:
            # fix_texture would split the vertices of a PLY where its texture has a seam.
            options = {"fix_texture": False} if extension == ".ply" else {}
            loaded = trimesh.load_mesh(file, file_type=extension[1:], process=False, **options)
    except Exception as error:  # a broken file can make a parser raise anything
        raise DataError(f"cannot be read as {extension[1:].upper()} ({_first_line(error)})") from None
    faces = np.asarray(getattr(loaded, "faces", np.zeros((0, 3))), dtype=np.int64)
    return np.asarray(loaded.vertices, dtype=np.float64), faces


def _merge_equal(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices at exactly the same place become one; the first of each keeps its turn."""
    # Adding 0 makes -0 equal to 0 bit by bit.
    unique, first, inverse = np.unique(vertices + 0.0, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order], rank[inverse.reshape(-1)][faces]


def _format_off(mesh: Mesh) -> str:
    """OFF with as many digits as the dtype needs to be read back exactly."""
    digits = ".17g" if mesh.vertices.dtype == torch.float64 else ".9g"
    lines = ["OFF", f"{mesh.num_vertices} {mesh.num_faces} 0"]
    lines += [f"{x:{digits}} {y:{digits}} {z:{digits}}" for x, y, z in mesh.vertices.detach().cpu().tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.faces.cpu().tolist()]
    return "\n".join(lines) + "\n"


def _umask() -> int:
    """The process's umask, which can only be read by setting it; mkstemp ignores it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
