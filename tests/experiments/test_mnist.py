from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from renderer.experiments.mnist import FILES, load_mnist
from renderer.scene import DataError


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


def write_mnist(folder: Path, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """The same small images in both parts."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (count, 28, 28)), np.arange(count) % 10
    for names in FILES.values():
        for name, values in zip(names, (images, labels), strict=True):
            (folder / name).write_bytes(gzip.compress(idx(values)))
    return images, labels


def test_reads_images_and_labels(tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path)
    for split in ("train", "test"):
        read = load_mnist(tmp_path, split)  # type: ignore[arg-type]
        assert (read[0].dtype, read[1].dtype) == (torch.uint8, torch.int64)
        assert torch.equal(read[0].long(), torch.from_numpy(images))
        assert torch.equal(read[1], torch.from_numpy(labels))


IMAGES, LABELS = FILES["train"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, None, "no such file"),
        (IMAGES, b"not gzip", "not a readable .gz file"),
        (IMAGES, gzip.compress(bytes(1000))[:20], "not a readable .gz file"),
        (IMAGES, gzip.compress(idx(np.zeros(3))), "expected an idx file that begins with 2051"),
        (LABELS, gzip.compress(b"\0\0"), "expected an idx file that begins with 2049"),
        (IMAGES, gzip.compress(idx(np.zeros((6, 28, 28)))[:-1]), "expected 4704 bytes after the header, got 4703"),
        (IMAGES, gzip.compress(idx(np.zeros((6, 20, 28)))), "expected images of 28 × 28, got 20 × 28"),
        (LABELS, gzip.compress(idx(np.zeros(5))), "expected 6 labels, one an image, got 5"),
        (LABELS, gzip.compress(idx(np.full(6, 12))), "expected labels from 0 to 9, got 12"),
    ],
)
def test_bad_files_get_one_line(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        load_mnist(tmp_path, "train")
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_unknown_part(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="split: expected 'train' or 'test', got 'valid'"):
        load_mnist(tmp_path, "valid")  # type: ignore[arg-type]
