"""OBJ files and their material libraries (MTL): shape, texture coordinates, colours, materials."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from renderer.scene.colours import as_colour, as_numbers, encoded_colours, linear_from_srgb
from renderer.scene.errors import DataError
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh
from renderer.scene.textures import read_texture


@dataclass
class ObjFile:
    """What an OBJ file says: arrays, and for each face the row of `materials` that it uses, or -1.

    `colours` are linear RGB, empty unless every vertex has one; `uv_faces` are -1 at the corners without texture
    coordinates.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    face_material: np.ndarray
    materials: list[str]
    libraries: list[str]


@dataclass
class _Lines:
    """Statements collected so far."""

    positions: list[list[str]] = field(default_factory=list)
    colours: list[list[str]] = field(default_factory=list)
    uv: list[list[str]] = field(default_factory=list)
    faces: list[tuple[int, ...]] = field(default_factory=list)
    uv_faces: list[tuple[int, ...]] = field(default_factory=list)
    face_material: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    materials: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    material: int = -1


def read_obj(path: Path) -> ObjFile:
    """The v, vt, f, usemtl and mtllib lines; indices count from 1, negative ones backwards from the line they are in.

    Raises:
        DataError: one line that names the line of the file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot be read ({type(error).__name__}: {error})") from None
    found = _Lines()
    for number, tokens in _statements(text):
        _take(found, number, tokens)
    vertices = _numbers(found.positions, 3, "v")
    faces = np.array(found.faces, dtype=np.int64).reshape(-1, 3)
    _check_range(faces, len(vertices), found.numbers, "vertex indices")
    uv_faces = np.array(found.uv_faces, dtype=np.int64).reshape(-1, 3)
    _check_range(uv_faces, len(found.uv), found.numbers, "texture indices", least=-1)
    return ObjFile(
        vertices=vertices,
        faces=faces,
        colours=_colours(found.colours if len(found.colours) == len(vertices) else []),
        uv=_numbers(found.uv, 2, "vt"),
        uv_faces=uv_faces,
        face_material=np.array(found.face_material, dtype=np.int64),
        materials=found.materials,
        libraries=found.libraries,
    )


def _take(found: _Lines, number: int, tokens: list[str]) -> None:
    keyword, values = tokens[0], tokens[1:]
    if keyword == "v":
        if len(values) < 3:
            raise DataError(f"line {number}: expected v x y z, got {' '.join(tokens)}")
        found.positions.append(values[:3])
        if len(values) >= 6:  # x y z r g b, as many scanners write it
            found.colours.append(values[3:6])
    elif keyword == "vt":
        if not values:
            raise DataError(f"line {number}: expected vt u v, got vt")
        found.uv.append([*values[:2], "0"][:2])
    elif keyword == "usemtl":
        name = " ".join(values)
        if name not in found.materials:
            found.materials.append(name)
        found.material = found.materials.index(name)
    elif keyword == "mtllib":
        found.libraries.append(" ".join(values))
    elif keyword == "f":
        corners = [_index(token, 0, len(found.positions), number, "vertex") for token in values]
        if len(corners) < 3:
            raise DataError(f"line {number}: expected a face of at least 3 corners, got {len(corners)}")
        uv = [_index(token, 1, len(found.uv), number, "texture") for token in values]
        for second, third in itertools.pairwise(range(1, len(corners))):
            found.faces.append((corners[0], corners[second], corners[third]))
            found.uv_faces.append((uv[0], uv[second], uv[third]))
            found.face_material.append(found.material)
            found.numbers.append(number)


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement; comments are dropped, a backslash at the end joins the next line."""
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", line).rstrip()
        pending += line.removesuffix("\\").split()
        if not line.endswith("\\"):
            if pending:
                yield number, pending
            pending = []


_COMMENT = re.compile(r"(^|\s)#.*")
"""From a # at the start of a word to the end of the line; names of files and materials may hold one inside."""


def _index(token: str, part: int, count: int, line: int, kind: str) -> int:
    """The zero-based index in a part of ``7``, ``7/1``, ``7//3`` or ``7/1/3``; -1 where it has no such part."""
    parts = token.split("/")
    if part >= len(parts) or (part > 0 and not parts[part]):
        return -1
    try:
        index = int(parts[part])
    except ValueError:
        raise DataError(f"line {line}: expected a {kind} index, got {token}") from None
    if index == 0 or index < -count:
        raise DataError(f"line {line}: expected {kind} indices from 1 (or from -{count} to -1), got {index}")
    return index - 1 if index > 0 else count + index


def _numbers(rows: list[list[str]], columns: int, keyword: str) -> np.ndarray:
    try:
        return np.array(rows, dtype=np.float64).reshape(-1, columns)
    except ValueError as error:
        raise DataError(f"expected numbers in {keyword} lines (ValueError: {error})") from None


def _colours(rows: list[list[str]]) -> np.ndarray:
    """Linear RGB of the sRGB values, 0 to 1, that modelling programs and scanners write behind a position."""
    encoded = _numbers(rows, 3, "v")
    if ((encoded < 0) | (encoded > 1)).any():
        raise DataError(f"expected vertex colours from 0 to 1, got {encoded.min():g} to {encoded.max():g}")
    return linear_from_srgb(torch.from_numpy(encoded)).numpy()


def _check_range(indices: np.ndarray, count: int, lines: list[int], what: str, *, least: int = 0) -> None:
    outside = ((indices < least) | (indices >= count)).any(1)
    if outside.any():
        first = int(outside.argmax())
        worst = next(int(i) for i in indices[first] if not least <= i < count) + 1
        raise DataError(f"line {lines[first]}: expected {what} from 1 to {count}, got {worst}")


def read_materials(path: Path) -> dict[str, Material]:
    """The materials of an MTL file by name: base colour Kd, highlight Ks, shininess Ns, texture map_Kd with -clamp.

    Numbers are linear RGB. Other options of map_Kd, and everything else in the file, have no place here and are left.

    Raises:
        DataError: an unreadable file, a number that is none, a missing texture; one line that names the file.
    """
    fields: dict[str, dict[str, object]] = {}
    here: dict[str, object] = {}
    images: dict[str, Tensor] = {}  # many materials often share one
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({type(error).__name__})") from None
    for number, tokens in _statements(text):
        keyword, values = tokens[0].lower(), tokens[1:]
        try:
            if keyword == "newmtl":
                here = fields.setdefault(" ".join(values), {})
            elif keyword in ("kd", "ks"):
                rgb = tuple(float(value) for value in values[:3])
                name = "base_colour" if keyword == "kd" else "specular"
                here[name] = as_colour(rgb * 3 if len(rgb) == 1 else rgb, name=tokens[0])
            elif keyword == "ns":
                shininess = as_numbers([float(values[0])], 1, name=tokens[0])[0]
                if shininess > 0:  # 0 goes with Ks 0: no highlight
                    here["shininess"] = shininess
            elif keyword == "map_kd":
                options, words = _map_options(values)
                name = _file_name(words)
                if name not in images:
                    images[name] = read_texture(path.parent / name)
                here["texture"] = images[name]
                here["texture_wrap"] = "clamp" if options.get("-clamp") == ["on"] else "repeat"
        except DataError as error:
            # A texture's own error names its file already.
            raise DataError(str(error) if keyword == "map_kd" else f"{path}: line {number}: {error}") from None
        except (ValueError, IndexError):
            raise DataError(f"{path}: line {number}: expected numbers, got {' '.join(tokens)}") from None
    return {name: Material(**values) for name, values in fields.items()}  # type: ignore[arg-type]


_MAP_OPTIONS = {
    **dict.fromkeys(("-blendu", "-blendv", "-boost", "-bm", "-cc", "-clamp", "-imfchan", "-texres", "-type"), 1),
    "-mm": 2,
    **dict.fromkeys(("-o", "-s", "-t"), 3),
}
"""How many words at most follow each option of a texture; those that take 3 may have fewer."""


def _map_options(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The options in front of a texture's name, and the words of the name, which may hold spaces."""
    options: dict[str, list[str]] = {}
    while words and words[0].lower() in _MAP_OPTIONS:
        option, count = words[0].lower(), 1
        most = _MAP_OPTIONS[option]
        while count <= most and count < len(words) and (most < 3 or _is_number(words[count])):
            count += 1
        options[option], words = words[1:count], words[count:]
    return options, words


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _file_name(words: list[str]) -> str:
    """A name as words, perhaps with Windows' separators."""
    return " ".join(words).replace("\\", "/")


def library_files(folder: Path, library: str) -> list[Path]:
    """The files of an mtllib line that are there: the whole is one name with spaces, or each word is one."""
    whole = folder / _file_name([library])
    files = [whole] if whole.is_file() else [folder / _file_name([word]) for word in library.split()]
    return [file for file in files if file.is_file()]


def format_obj(mesh: Mesh, library: str | None) -> str:
    """The text of an OBJ file, with as many digits as the dtype needs to be read back exactly."""
    digits = ".17g" if mesh.vertices.dtype == torch.float64 else ".9g"
    rows = mesh.vertices.detach().cpu().tolist()
    if mesh.vertex_colours is not None:
        colours = encoded_colours(mesh.vertex_colours.detach().cpu(), name="vertex_colours").tolist()
        rows = [position + colour for position, colour in zip(rows, colours, strict=True)]
    lines = [] if library is None else [f"mtllib {library}"]
    lines += ["v " + " ".join(f"{x:{digits}}" for x in row) for row in rows]
    corners = [[str(i + 1) for i in face] for face in mesh.faces.cpu().tolist()]
    if mesh.uv is not None and mesh.uv_faces is not None:
        lines += [f"vt {u:{digits}} {v:{digits}}" for u, v in mesh.uv.detach().cpu().tolist()]
        both = zip(corners, mesh.uv_faces.cpu().tolist(), strict=True)
        corners = [[f"{i}/{j + 1}" for i, j in zip(face, uv, strict=True)] for face, uv in both]
    lines += [] if library is None else [f"usemtl {MATERIAL_NAME}"]
    lines += ["f " + " ".join(face) for face in corners]
    return "\n".join(lines) + "\n"


MATERIAL_NAME = "material"


def format_materials(material: Material, texture: str | None) -> str:
    """The text of an MTL file with this one material."""
    colours = (("Kd", material.base_colour), ("Ks", material.specular))
    lines = [f"newmtl {MATERIAL_NAME}"]
    lines += [f"{name} " + " ".join(f"{c:.9g}" for c in value.detach().cpu().tolist()) for name, value in colours]
    lines.append(f"Ns {float(material.shininess):.9g}")
    clamp = "-clamp on " if material.texture_wrap == "clamp" else ""
    lines += [] if texture is None else [f"map_Kd {clamp}{texture}"]
    return "\n".join(lines) + "\n"
