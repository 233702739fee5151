"""Terrain maps with shortest paths: made here, or read from the files of the Warcraft data set.

A map is a picture of 12 × 12 tiles of 8 × 8 pixels; every tile has a terrain and with it a cost, and a path may step to
any of 8 neighbours. What it costs to stand on a terrain is not to be seen in the picture: that is to be learned.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from renderer.algorithms.shortest_path import shortest_path
from renderer.scene.errors import DataError

# As in the Warcraft data: water, rock, forest, earth, grass.
COSTS = (9.2, 7.7, 5.3, 1.2, 0.8)
COLOURS = ((38, 70, 130), (112, 104, 100), (30, 78, 34), (132, 98, 58), (92, 138, 56))
TILE = 8
FILES = {"maps": "maps", "costs": "vertex_weights", "paths": "shortest_paths"}


class Terrain(NamedTuple):
    """Pictures, costs of the tiles, and one shortest path each from the top left to the bottom right."""

    maps: UInt8[Tensor, "N pixels pixels 3"]
    costs: Float[Tensor, "N size size"]
    paths: Float[Tensor, "N size size"]


def make_terrain(count: int, *, size: int = 12, seed: int = 0) -> Terrain:
    """`count` random maps of size × size tiles: smooth heights, cut into five terrains, with texture and light.

    >>> make_terrain(2).maps.shape
    torch.Size([2, 96, 96, 3])
    """
    if count < 1 or size < 2:
        raise ValueError(f"count, size: expected at least 1 map of 2 × 2 tiles, got {count} of {size} × {size}")
    random = np.random.default_rng(seed)
    heights = _smooth(random.standard_normal((count, size, size)), 1.0)
    # Every map has its own mixture of terrains.
    levels = np.sort(random.uniform(0.05, 0.95, (count, len(COSTS) - 1)), 1)
    ranks = heights.reshape(count, -1).argsort(1).argsort(1).reshape(heights.shape) / (size * size)
    kinds = (ranks[..., None] > levels[:, None, None, :]).sum(-1)
    costs = torch.tensor(np.asarray(COSTS)[kinds], dtype=torch.float32)
    return Terrain(torch.from_numpy(_paint(kinds, random)), costs, shortest_path(costs))


def _smooth(field: np.ndarray, width: float) -> np.ndarray:
    """Blurred along both axes, each map by itself, by a Gaussian of that many tiles."""
    size = field.shape[-1]
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    return kernel @ field @ kernel


def _paint(kinds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pictures of tiles: the terrain's colour, its own grain, ragged edges, and light that differs from map to map."""
    count, size, _ = kinds.shape
    pixels = size * TILE
    # A pixel near an edge may take the terrain of the tile beyond.
    place = (np.arange(pixels)[:, None] + np.zeros(pixels)[None, :])[None] + random.normal(
        0, 0.9, (count, pixels, pixels)
    )
    across = np.arange(pixels)[None, None, :] + random.normal(0, 0.9, (count, pixels, pixels))
    row, column = (np.clip(np.round(v) // TILE, 0, size - 1).astype(int) for v in (place, across))
    kind = kinds[np.arange(count)[:, None, None], row, column]
    picture = np.asarray(COLOURS, dtype=np.float32)[kind]
    grain = np.asarray((6.0, 22.0, 26.0, 14.0, 12.0), dtype=np.float32)[kind]
    picture += (grain * random.standard_normal(kind.shape, dtype=np.float32))[..., None]
    light = random.uniform(0.75, 1.2, (count, 1, 1, 1)) * random.uniform(0.93, 1.07, (count, 1, 1, 3))
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def load_terrain(folder: str | Path, split: Literal["train", "val", "test"]) -> Terrain:
    """One part of the Warcraft data: `{split}_maps`, `{split}_vertex_weights` and `{split}_shortest_paths`.

    As .npy files (whole, or in `_part0`, `_part1`, …), or as arrays of these names in one .npz file of the folder.

    Raises DataError, one line naming the file, when one is missing, damaged, or does not fit the others.
    """
    folder = Path(folder)
    arrays = {name: _array(folder, f"{split}_{stem}") for name, stem in FILES.items()}
    maps, costs, paths = arrays["maps"], arrays["costs"], arrays["paths"]
    if maps.ndim != 4 or maps.shape[3] != 3 or maps.shape[1] != maps.shape[2]:
        raise DataError(f"{folder}: expected {split}_maps of shape (N, pixels, pixels, 3), got {maps.shape}")
    count, pixels = maps.shape[:2]
    size = costs.shape[-1]
    for name, array in (("vertex_weights", costs), ("shortest_paths", paths)):
        if array.shape != (count, size, size):
            raise DataError(f"{folder}: expected {split}_{name} of shape {(count, size, size)}, got {array.shape}")
    if pixels % size:
        raise DataError(f"{folder}: expected {split}_maps of a multiple of {size} pixels, got {pixels}")
    if not np.isfinite(costs).all() or costs.min() < 0:
        raise DataError(f"{folder}: expected {split}_vertex_weights >= 0")
    return Terrain(
        torch.from_numpy(maps.astype(np.uint8)),
        torch.from_numpy(costs.astype(np.float32)),
        torch.from_numpy(paths.astype(np.float32)),
    )


def _array(folder: Path, name: str) -> np.ndarray:
    whole = folder / f"{name}.npy"
    parts = [whole] if whole.exists() else sorted(folder.glob(f"{name}_part*.npy"), key=_part_number)
    if parts:
        return np.concatenate([_read(path) for path in parts])
    for path in sorted(folder.glob("*.npz")):
        for key, array in _members(path):
            if key == name:
                return array
    raise DataError(f"{folder}: expected {name}.npy, or {name} in a .npz file")


def _part_number(path: Path) -> int:
    digits = path.stem.rpartition("_part")[2]
    if not digits.isdigit():
        raise DataError(f"{path}: expected a number after _part")
    return int(digits)


def _read(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy file ({error})") from error


def _members(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                yield key, archive[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable .npz file ({error})") from error


def save_terrain(terrain: Terrain, folder: str | Path, split: str) -> None:
    """Writes the three .npy files of one part."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for values, name in zip(terrain, FILES.values(), strict=True):
        np.save(folder / f"{split}_{name}.npy", values.numpy())
