"""Handwritten digits from the four files of MNIST."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from renderer.scene.errors import DataError

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
IMAGES, LABELS = 2051, 2049  # magic numbers: unsigned bytes in three dimensions, in one


def load_mnist(
    folder: str | Path, split: Literal["train", "test"]
) -> tuple[UInt8[Tensor, "N 28 28"], Int[Tensor, " N"]]:
    """Images and labels (int64) of one part, from the idx files as they are distributed (.gz).

    Raises DataError, one line naming the file, when one is missing, damaged, or not of the form expected.

    >>> images, labels = load_mnist("mnist", "test")  # (10000, 28, 28) and (10000,)
    """
    if split not in FILES:
        raise ValueError(f"split: expected 'train' or 'test', got {split!r}")
    files = [Path(folder) / name for name in FILES[split]]
    images, labels = _read(files[0], IMAGES, 3), _read(files[1], LABELS, 1)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{files[0]}: expected images of 28 × 28, got {images.shape[1]} × {images.shape[2]}")
    if len(labels) != len(images):
        raise DataError(f"{files[1]}: expected {len(images)} labels, one an image, got {len(labels)}")
    if len(labels) and labels.max() > 9:
        raise DataError(f"{files[1]}: expected labels from 0 to 9, got {labels.max()}")
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def _read(path: Path, magic: int, dimensions: int) -> np.ndarray:
    """An idx file: the magic number, the sizes, and the bytes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected MNIST's idx files as they are distributed") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a readable .gz file ({error})") from error
    start = 4 * (1 + dimensions)
    if len(content) < start or int.from_bytes(content[:4], "big") != magic:
        raise DataError(f"{path}: expected an idx file that begins with {magic}")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    if len(content) - start != shape.prod():
        raise DataError(f"{path}: expected {shape.prod()} bytes after the header, got {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
