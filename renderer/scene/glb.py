"""The container of binary glTF: its JSON chunk, read and replaced; and the base colours in it.

trimesh keeps base colours in 8 bits, which for linear light are steps that can be seen; these keep every digit.
"""

from __future__ import annotations

import json
import struct
from typing import Any

MAGIC, JSON_CHUNK = 0x46546C67, 0x4E4F534A
HEADER = 20
"""Bytes before the JSON: magic, version, length of the file; length and kind of the chunk."""


def read_json(data: bytes) -> dict[str, Any]:
    """The JSON of a GLB file.

    Raises:
        ValueError: no complete GLB file.
    """
    if len(data) < HEADER:
        raise ValueError("not a complete GLB file")
    magic, _, _, length, kind = struct.unpack_from("<5I", data)
    if magic != MAGIC or kind != JSON_CHUNK or HEADER + length > len(data):
        raise ValueError("not a complete GLB file")
    tree = json.loads(data[HEADER : HEADER + length])
    if not isinstance(tree, dict):
        raise ValueError("expected an object")
    return tree


def with_json(data: bytes, tree: dict[str, Any]) -> bytes:
    """The same file with another JSON chunk."""
    _, version, _, length, _ = struct.unpack_from("<5I", data)
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)  # chunks end at multiples of 4
    rest = data[HEADER + length :]
    header = struct.pack("<5I", MAGIC, version, HEADER + len(text) + len(rest), len(text), JSON_CHUNK)
    return header + text + rest


def with_numbered_materials(data: bytes) -> tuple[bytes, list[list[float] | None]]:
    """The same file with its materials called 0, 1, 2, ..., and their base colour factors.

    Raises:
        ValueError, TypeError, AttributeError: the JSON is not glTF's.
    """
    tree = read_json(data)
    factors: list[list[float] | None] = []
    for i, material in enumerate(tree.get("materials", [])):
        material["name"] = str(i)
        factor = material.get("pbrMetallicRoughness", {}).get("baseColorFactor")
        if not isinstance(factor, list | None):
            raise ValueError(f"expected baseColorFactor [r, g, b, a], got {factor!r}")
        factors.append(factor)
    return with_json(data, tree), factors


def with_base_colour(data: bytes, colour: list[float]) -> bytes:
    """The same file with this base colour, r g b, in its every material."""
    tree = read_json(data)
    for material in tree.get("materials", []):
        material.setdefault("pbrMetallicRoughness", {})["baseColorFactor"] = [*colour, 1.0]
    return with_json(data, tree)
