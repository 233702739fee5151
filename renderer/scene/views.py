"""Photographs of an object with their cameras: a folder with ``transforms.json``, or with masks and a COLMAP model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.colmap import is_colmap_model, read_colmap
from renderer.scene.errors import DataError
from renderer.scene.images import IMAGE_EXTENSIONS, linear_rgb, mask_of_image, mask_of_mask_file, read_image, size_text
from renderer.scene.transforms import frames_of

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class Views:
    """N images of one size with their cameras.

    Attributes:
        masks: (N, H, W) coverage in [0, 1], as stored.
        camera: a batch of N cameras.
        names: how the data calls each view, such as ``train/r_0``.
        files: the file that each mask came from.
        images: (N, H, W, 3) linear RGB, not premultiplied, where they were asked for.
    """

    masks: Float[Tensor, "N H W"]
    camera: Camera
    names: tuple[str, ...]
    files: tuple[Path, ...]
    images: Float[Tensor, "N H W 3"] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: slice | Sequence[int]) -> Views:
        """Some of the views, as a slice or a list of indices."""
        chosen = list(range(len(self)))[index] if isinstance(index, slice) else [int(i) for i in index]
        images = None if self.images is None else self.images[chosen]
        names = tuple(self.names[i] for i in chosen)
        return Views(self.masks[chosen], self.camera[chosen], names, tuple(self.files[i] for i in chosen), images)

    def to(self, *args: Any, **kwargs: Any) -> Views:
        """A copy with every Tensor moved as by ``Tensor.to``."""
        images = None if self.images is None else self.images.to(*args, **kwargs)
        return Views(self.masks.to(*args, **kwargs), self.camera.to(*args, **kwargs), self.names, self.files, images)


def has_test(data: str | Path) -> bool:
    """Whether the folder sets views aside for testing (``transforms_test.json``)."""
    return (Path(data) / "transforms_test.json").is_file()


def load_views(
    data: str | Path,
    split: Split | None = "train",
    *,
    colmap: str | Path | None = None,
    images: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Views:
    """Masks and cameras of a folder.

    With ``transforms.json`` or ``transforms_train.json`` (and ``transforms_test.json``), masks are the alpha of the
    RGBA images that the frames name (with or without extension), images of one channel, or files of ``mask_path``.
    Otherwise the folder has a COLMAP model in ``sparse/0``, ``sparse`` or itself, and masks in ``masks/`` (named as the
    image, with its extension, another one, or ``.png`` after it) or alpha in ``images/``; views are sorted by name.

    Args:
        data: the folder.
        split: ``"train"`` or ``"test"`` views, or None for both; without test file, all views are for training.
        colmap: the folder of the COLMAP model, where it is none of the above (and goes before any transforms.json).
        images: whether to load the colours too.
        dtype: of masks, images and cameras.

    Raises:
        DataError: one line that names the file and the cause.

    Example:
        >>> views = load_views("scenes/knot", "train")
        >>> views.masks.shape, len(views.camera)                 # (24, 256, 256), 24
    """
    folder = Path(data)
    if split not in ("train", "test", None):
        raise ValueError(f"split: expected 'train', 'test' or None, got {split!r}")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if colmap is None:
        files = _transforms_files(folder, split)
        if files:
            return _concatenate([_load_transforms(folder, file, images, dtype) for file in files])
    candidates = [folder / "sparse" / "0", folder / "sparse", folder] if colmap is None else [Path(colmap)]
    model = next((candidate for candidate in candidates if is_colmap_model(candidate)), None)
    if model is None and colmap is not None:
        raise DataError(f"{colmap}: expected cameras and images of a COLMAP model (.bin or .txt)")
    if model is None:
        raise DataError(f"{folder}: expected transforms.json, transforms_train.json or a COLMAP model in sparse/0")
    if split == "test":
        raise DataError(f"{folder}: no test views: a COLMAP model has only training views")
    return _load_colmap(folder, model, images, dtype)


# -- transforms.json -------------------------------------------------------------------------------------------------


def _transforms_files(folder: Path, split: Split | None) -> list[Path]:
    """The files of a split; none where the folder has no transforms file at all."""
    single, train, test = (folder / f"transforms{end}.json" for end in ("", "_train", "_test"))
    training = train if train.is_file() else single
    if not training.is_file() and not test.is_file():
        return []
    wanted = {"train": [training], "test": [test], None: [training, *([test] if test.is_file() else [])]}[split]
    for file in wanted:
        if not file.is_file():
            raise DataError(f"{file}: no such file: the folder has no {'test' if file == test else 'training'} views")
    return wanted


def _load_transforms(folder: Path, path: Path, images: bool, dtype: torch.dtype) -> Views:
    try:
        transforms = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path}: malformed JSON ({error})") from None
    try:
        frames = frames_of(transforms)
        sources = [_frame_files(folder, frame, f"frames[{i}]") for i, frame in enumerate(frames)]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    names = tuple(Path(frame["file_path"]).as_posix() for frame in frames)

    def cameras(size: tuple[int, int]) -> Camera:
        try:
            return Camera.from_blender_transforms(transforms, image_size=size, dtype=dtype)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    return _read_views(sources, names, cameras, images, dtype)


def _frame_files(folder: Path, frame: Any, where: str) -> tuple[Path, Path | None]:
    """The image of a frame and the mask file, where it has one of its own."""
    found: list[Path | None] = []
    for key in ("file_path", "mask_path"):
        name = frame.get(key)
        if name is None and key == "mask_path":
            found.append(None)
            continue
        if not isinstance(name, str) or not name:
            raise DataError(f"{where}.{key}: " + ("missing" if name is None else f"expected a file name, got {name!r}"))
        file = _existing(folder / name)
        if file is None:
            raise DataError(f"{where}.{key}: no such image: {folder / name} (nor with {', '.join(IMAGE_EXTENSIONS)})")
        found.append(file)
    assert found[0] is not None
    return found[0], found[1]


# -- COLMAP ----------------------------------------------------------------------------------------------------------


def _load_colmap(folder: Path, model: Path, images: bool, dtype: torch.dtype) -> Views:
    names, camera = read_colmap(model, dtype=dtype)
    masks = folder / "masks"
    sources: list[tuple[Path, Path | None]] = []
    for name in names:
        image = next((file for file in (folder / "images" / name, folder / name) if file.is_file()), None)
        mask = None
        if masks.is_dir():
            mask = next((file for file in (Path(f"{masks / name}.png"), masks / name) if file.is_file()), None)
            mask = mask or _existing((masks / name).with_suffix(""))
            if mask is None:
                raise DataError(f"{masks / name}: no such mask (nor with .png after it, nor another extension)")
        if image is None and (mask is None or images):
            raise DataError(f"{folder / 'images' / name}: no such image")
        sources.append((image or mask or folder, mask))

    def cameras(size: tuple[int, int]) -> Camera:
        if size != camera.image_size:
            expected, came = size_text(camera.image_size), size_text(size)
            raise DataError(f"{sources[0][1] or sources[0][0]}: expected {expected} as in the COLMAP model, got {came}")
        return camera

    return _read_views(sources, tuple(names), cameras, images, dtype)


# -- both ------------------------------------------------------------------------------------------------------------


def _existing(path: Path) -> Path | None:
    """The file itself, or with the extension of an image format."""
    if path.is_file():
        return path
    return next((file for end in IMAGE_EXTENSIONS if (file := Path(f"{path}{end}")).is_file()), None)


def _read_views(
    sources: Sequence[tuple[Path, Path | None]],
    names: tuple[str, ...],
    cameras: Callable[[tuple[int, int]], Camera],
    images: bool,
    dtype: torch.dtype,
) -> Views:
    """Read masks (and images) of one size; the cameras are made, and checked, as soon as that size is known."""
    masks: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    files: list[Path] = []
    camera: Camera | None = None
    for image, mask in sources:
        file = mask or image
        pixels = read_image(file)
        if masks:
            _check_size(pixels, masks[0], file, files[0])
        else:
            camera = cameras((pixels.shape[0], pixels.shape[1]))
        masks.append(mask_of_mask_file(pixels, file) if mask else mask_of_image(pixels, file))
        files.append(file)
        if images:
            pixels = read_image(image) if mask else pixels
            if mask is None and pixels.shape[2] == 1:
                raise DataError(f"{image}: expected colours, RGBA, got one channel, which can only be the mask")
            _check_size(pixels, masks[0], image, files[0])
            colours.append(linear_rgb(pixels, image))
    assert camera is not None
    stacked = torch.from_numpy(np.stack(colours)).to(dtype) if images else None
    return Views(torch.from_numpy(np.stack(masks)).to(dtype), camera, names, tuple(files), stacked)


def _check_size(pixels: np.ndarray, first: np.ndarray, file: Path, first_file: Path) -> None:
    if pixels.shape[:2] != first.shape[:2]:
        expected, came = size_text(first.shape[:2]), size_text(pixels.shape[:2])
        raise DataError(f"{file}: expected {expected} as {first_file.name}, got {came}")


def _concatenate(parts: Sequence[Views]) -> Views:
    """The views of several files, which must have one image size."""
    if len(parts) == 1:
        return parts[0]
    for part in parts[1:]:
        _check_size(part.masks[0].numpy(), parts[0].masks[0].numpy(), part.files[0], parts[0].files[0])
    camera = parts[0].camera
    poses, K = torch.cat([p.camera.world_to_camera for p in parts]), torch.cat([p.camera.K for p in parts])
    camera = Camera(poses, K, camera.image_size, camera.projection, camera.near)
    names, files = (sum((getattr(p, key) for p in parts), ()) for key in ("names", "files"))
    colours = [p.images for p in parts if p.images is not None]
    return Views(torch.cat([p.masks for p in parts]), camera, names, files, torch.cat(colours) if colours else None)
