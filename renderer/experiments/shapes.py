"""Shapes seen from 24 sides with their voxels: generated, and read, in the form ShapeNet's renderings come in.

One `CLASS_SPLIT_images.npz` and `CLASS_SPLIT_voxels.npz` for each class and split ("train", "val", "test"): images
(N, 24, 4, 64, 64) uint8, RGBA, and voxels (N, 32, 32, 32) with indices y, x, z. Camera k looks at the origin with a
vertical field of view of 30° from distance 2.732, elevation 30°, azimuth −15° k. Their world is left-handed; here z is
turned round, and azimuth 0 is at +z.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from renderer.experiments.families import FAMILIES, Solid
from renderer.raster import interpolate, rasterize
from renderer.raster.project import project_mesh
from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.mesh import Mesh
from renderer.scene.voxels import voxelize

VIEWS, SIZE, RESOLUTION = 24, 64, 32
SAMPLES = 2  # per pixel and axis, of a generated image
GRID = 80  # points an axis at which a signed distance is sampled
REACH = 0.9  # half the edge of the cube they fill: every family fits into it
LONGEST = 0.95  # longest side of a generated shape, in the cube of edge 1 that the voxels fill
AMBIENT, KEY = 0.3, 0.7
LIGHT = (0.35, 0.85, 0.4)  # where it comes from


def view_camera(view: Tensor, size: int = SIZE) -> Camera:
    """The cameras of some views, by their number.

    >>> view_camera(torch.arange(24))
    """
    return Camera.orbit(2.732, 30.0, -15.0 * view.float(), fov_y=30.0, image_size=(size, size))


@dataclass(frozen=True)
class Shapes:
    """All objects of a split, class after class."""

    classes: tuple[str, ...]
    label: Tensor
    """(N,) index into `classes`."""
    images: UInt8[Tensor, "N 24 4 64 64"]
    voxels: Bool[Tensor, "N 32 32 32"]
    """Indices x, y, z, of the grid of `renderer.scene.voxels.voxelize`."""

    def __len__(self) -> int:
        return len(self.label)


def load_shapes(folder: str | Path, split: str) -> Shapes:
    """Read all classes that the folder has in a split.

    Raises DataError, one line naming the file or folder, when something is missing, damaged or of another form.

    >>> load_shapes("shapes", "train").images.shape
    torch.Size([960, 24, 4, 64, 64])
    """
    folder = Path(folder)
    ending = f"_{split}_images.npz"
    files = sorted(folder.glob(f"*{ending}"))
    if not files:
        raise DataError(f"{folder}: expected files named CLASS{ending}, found none")
    classes, labels, images, voxels = [], [], [], []
    for index, file in enumerate(files):
        classes.append(file.name.removesuffix(ending))
        images.append(_array(file, (VIEWS, 4, SIZE, SIZE)))
        other = file.with_name(f"{classes[-1]}_{split}_voxels.npz")
        voxels.append(_array(other, (RESOLUTION,) * 3))
        if len(images[-1]) != len(voxels[-1]):
            raise DataError(f"{other}: expected {len(images[-1])} objects as in {file.name}, got {len(voxels[-1])}")
        if images[-1].dtype != np.uint8:
            raise DataError(f"{file}: expected uint8, got {images[-1].dtype}")
        labels.append(torch.full((len(images[-1]),), index))
    grid = torch.from_numpy(np.concatenate(voxels) > 0.5).transpose(1, 2).contiguous()
    return Shapes(tuple(classes), torch.cat(labels), torch.from_numpy(np.concatenate(images)), grid)


def _array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The one array of an .npz file, of N × shape; images may come as N · 24 × 4 × 64 × 64."""
    try:
        with np.load(path) as file:
            (name,) = file.files
            array = file[name]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable .npz file with one array ({error})") from None
    if array.shape[1:] == shape[1:] and len(shape) == 4 and len(array) % shape[0] == 0:
        array = array.reshape(-1, *shape)
    if array.shape[1:] != shape:
        raise DataError(f"{path}: expected an array of shape N × {' × '.join(map(str, shape))}, got {array.shape}")
    return array


def generate_shapes(
    folder: str | Path, *, train: int = 120, test: int = 20, families: tuple[str, ...] = tuple(FAMILIES), seed: int = 0
) -> Iterator[tuple[str, str]]:
    """Write `train` and `test` objects of each family into a folder; gives (family, split) before each is made.

    Object i of a family depends on the seed, the family, the split and i alone. Raises ValueError for an unknown
    family or a number below 1, DataError for a folder that already has such a file or cannot be made.

    >>> for family, split in generate_shapes("shapes", train=100, test=10): ...
    """
    folder = Path(folder)
    counts = {"train": train, "test": test}
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}: expected at least 1 object, got {count}")
    for family in families:
        if family not in FAMILIES:
            raise ValueError(f"families: expected some of {', '.join(FAMILIES)}, got {family!r}")
    if present := sorted(folder.glob("*_images.npz")):
        raise DataError(f"{present[0]}: exists; give another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror})") from error
    for family in families:
        for split, count in counts.items():
            yield family, split
            number = list(FAMILIES).index(family)
            made = [make_shape(family, (seed, number, split == "test", i)) for i in range(count)]
            images, voxels = (np.stack(arrays) for arrays in zip(*made, strict=True))
            np.savez_compressed(folder / f"{family}_{split}_images.npz", images)
            np.savez_compressed(folder / f"{family}_{split}_voxels.npz", voxels)


def make_shape(family: str, seeds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Images and voxels of one object, as the files have them."""
    random = np.random.default_rng([int(number) for number in seeds])
    mesh = surface(FAMILIES[family](random))
    albedo = torch.from_numpy(random.uniform(0.3, 1.0, 3)).float()
    images = (render_views(mesh, albedo).permute(0, 3, 1, 2) * 255).round().to(torch.uint8)
    return images.numpy(), voxelize(mesh, RESOLUTION).transpose(0, 1).numpy()


def surface(solid: Solid) -> Mesh:
    """The surface of a solid, centred, its longest side `LONGEST`."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-REACH, REACH, GRID, dtype=np.float32)
    points = np.stack(np.meshgrid(axis, axis + REACH, axis, indexing="ij"), axis=-1)
    values = solid(points.reshape(-1, 3)).reshape(GRID, GRID, GRID)
    # Ground level is y = 0: shapes may touch the border of the grid, which has to be outside.
    values = np.pad(values, 1, constant_values=REACH)
    vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="descent")
    mesh = Mesh(torch.from_numpy(vertices.copy()), torch.from_numpy(faces.astype(np.int64)))
    low, high = mesh.bounds
    return mesh.with_vertices((mesh.vertices - (low + high) / 2) * (LONGEST / float((high - low).max())))


def render_views(mesh: Mesh, albedo: Float[Tensor, "3"]) -> Float[Tensor, "24 64 64 4"]:
    """RGBA from all views, Lambert under one light, over black; antialiased by supersampling."""
    camera = view_camera(torch.arange(VIEWS), SIZE * SAMPLES)
    screen, faces = project_mesh(mesh, camera)
    fragments = rasterize(screen, faces, camera.image_size)
    normals = interpolate(mesh.vertex_normals[None], fragments, faces)
    light = torch.nn.functional.normalize(torch.tensor(LIGHT), dim=0)
    lit = AMBIENT + KEY * (torch.nn.functional.normalize(normals, dim=-1) @ light).clamp(min=0)
    alpha = (fragments.face_id >= 0).float()
    fine = torch.cat([alpha[..., None] * lit[..., None] * albedo, alpha[..., None]], dim=-1)
    return fine.unflatten(1, (SIZE, SAMPLES)).unflatten(3, (SIZE, SAMPLES)).mean((2, 4))
