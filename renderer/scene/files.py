"""Mesh files: OBJ and OFF as text, PLY, STL and GLB through trimesh. Only the geometry is read and written."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from renderer.scene.errors import DataError
from renderer.scene.mesh import Mesh

MESH_EXTENSIONS = (".obj", ".ply", ".stl", ".off", ".glb")


def load_mesh(path: str | Path, *, dtype: torch.dtype = torch.float32) -> Mesh:
    """Read the triangles of an OBJ, PLY, STL, OFF or GLB file.

    Vertices keep their order and are neither merged nor split, except that STL has no shared vertices: there, corners
    at exactly the same place become one. Polygons become fans of triangles. Several objects in a file become one mesh.
    OBJ is read here, since trimesh splits its vertices where the texture has a seam, which tears a closed surface.

    Raises:
        DataError: a missing or unreadable file, no faces, NaN, an index out of range; one line that names the file.

    Example:
        >>> load_mesh("bunny.obj").is_watertight
    """
    path = Path(path)
    extension = _extension(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        vertices, faces = _read_obj(path) if extension == ".obj" else _read_with_trimesh(path, extension)
        if extension == ".stl" and len(vertices):
            vertices, faces = _merge_equal(vertices, faces)
        return Mesh(torch.tensor(vertices.reshape(-1, 3), dtype=dtype), torch.tensor(faces.reshape(-1, 3)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def save_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write OBJ, PLY, STL, OFF or GLB, by extension; an existing file is replaced only once the new one is complete.

    OBJ and OFF keep every digit; PLY, STL and GLB store float32.

    Raises:
        ValueError: the mesh has batch dimensions.
        DataError: an unknown extension.
    """
    path = Path(path)
    extension = _extension(path)
    triangles = mesh.to_trimesh()
    if extension in (".obj", ".off"):
        data = _format_text(mesh, extension).encode()
    else:
        exported = triangles.export(file_type=extension[1:])
        assert isinstance(exported, bytes)  # all three are binary formats
        data = exported
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=extension)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The v and f lines of an OBJ file; indices count from 1, negative ones backwards from the line they are in."""
    positions: list[list[str]] = []
    faces: list[tuple[int, int, int]] = []
    lines: list[int] = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot be read ({_first_line(error)})") from None
    for number, tokens in _obj_statements(text):
        if tokens[0] == "v":
            if len(tokens) < 4:
                raise DataError(f"line {number}: expected v x y z, got {' '.join(tokens)}")
            positions.append(tokens[1:4])
        elif tokens[0] == "f":
            corners = [_obj_index(token, len(positions), number) for token in tokens[1:]]
            if len(corners) < 3:
                raise DataError(f"line {number}: expected a face of at least 3 corners, got {len(corners)}")
            for second, third in itertools.pairwise(corners[1:]):
                faces.append((corners[0], second, third))
                lines.append(number)
    try:
        vertices = np.array(positions, dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        raise DataError(f"expected numbers in v lines ({_first_line(error)})") from None
    indices = np.array(faces, dtype=np.int64).reshape(-1, 3)
    outside = ((indices < 0) | (indices >= len(vertices))).any(1)
    if outside.any():
        first = int(outside.argmax())
        worst = next(i for i in faces[first] if not 0 <= i < len(vertices)) + 1
        raise DataError(f"line {lines[first]}: expected vertex indices from 1 to {len(vertices)}, got {worst}")
    return vertices, indices


def _obj_statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement; comments are dropped, a backslash at the end joins the next line."""
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].rstrip()
        pending += line.removesuffix("\\").split()
        if not line.endswith("\\"):
            if pending:
                yield number, pending
            pending = []


def _obj_index(token: str, count: int, line: int) -> int:
    """The zero-based vertex index in ``7``, ``7/1``, ``7//3`` or ``7/1/3``."""
    try:
        index = int(token.partition("/")[0])
    except ValueError:
        raise DataError(f"line {line}: expected a vertex index, got {token}") from None
    if index == 0 or index < -count:
        raise DataError(f"line {line}: expected vertex indices from 1 (or from -{count} to -1), got {index}")
    return index - 1 if index > 0 else count + index


def _merge_equal(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices at exactly the same place become one; the first of each keeps its turn."""
    # Adding 0 makes -0 equal to 0 bit by bit.
    unique, first, inverse = np.unique(vertices + 0.0, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order], rank[inverse.reshape(-1)][faces]


def _format_text(mesh: Mesh, extension: str) -> str:
    """OBJ or OFF with as many digits as the dtype needs to be read back exactly."""
    digits = ".17g" if mesh.vertices.dtype == torch.float64 else ".9g"
    vertices, faces = mesh.vertices.detach().cpu().tolist(), mesh.faces.cpu().tolist()
    obj = extension == ".obj"
    prefix, corner, offset = ("v ", "f ", 1) if obj else ("", "3 ", 0)
    lines = [] if obj else ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [f"{prefix}{x:{digits}} {y:{digits}} {z:{digits}}" for x, y, z in vertices]
    lines += [f"{corner}{a + offset} {b + offset} {c + offset}" for a, b, c in faces]
    return "\n".join(lines) + "\n"


def _umask() -> int:
    """The process's umask, which can only be read by setting it; mkstemp ignores it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
