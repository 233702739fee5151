"""Films from pictures, .mp4 or .gif, as files and for notebooks."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imageio.v3 as iio
import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from renderer.viz.picture import picture, split_images

FilmFormat = Literal["mp4", "gif"]

FRAMES_PER_SECOND = 20
FILM_EXTENSIONS = (".mp4", ".gif")


@dataclass(frozen=True, eq=False, repr=False)
class Film:
    """A film in memory; the last expression of a notebook's cell, it plays there in a loop.

    Args:
        data: the bytes of the file.
        format: "mp4" or "gif".
        size: (height, width) in pixels.

    >>> Film.of(torch.rand(10, 64, 64, 3)).save("noise.mp4")
    """

    data: bytes
    format: FilmFormat
    size: tuple[int, int]

    @classmethod
    def of(cls, images: Tensor | Iterable[Tensor], *, format: FilmFormat = "mp4", zoom: int = 1) -> Film:
        """A film of masks (N, H, W) or images (N, H, W, C) in [0, 1], or a list of either, 20 a second.

        Raises: ValueError for no images, other shapes, an odd size with mp4, or another format.
        """
        pictures = [
            picture(i, zoom=zoom).pixels for i in split_images(images if isinstance(images, Tensor) else [*images])
        ]
        if not pictures:
            raise ValueError("images: expected at least one, got none")
        for i, pixels in enumerate(pictures):
            if pixels.shape != pictures[0].shape:
                expected, came = pictures[0].shape[:2], pixels.shape[:2]
                raise ValueError(f"images[{i}]: expected the size of the first {expected}, got {came}")
        return film_of_pictures(pictures, format=format)

    def __repr__(self) -> str:
        return f"Film, {self.format}, {self.size[1]} × {self.size[0]} pixels, {len(self.data) / 1000:.0f} kB"

    def save(self, path: str | Path) -> None:
        """Write the file. Raises: ValueError when the extension is not that of the format."""
        if Path(path).suffix.lower() != f".{self.format}":
            raise ValueError(f"path: expected a name that ends in .{self.format}, got {str(path)!r}")
        Path(path).write_bytes(self.data)

    def _repr_html_(self) -> str:
        kind = "video" if self.format == "mp4" else "image"
        source = f"data:{kind}/{self.format};base64,{base64.b64encode(self.data).decode('ascii')}"
        height, width = self.size
        if self.format == "gif":
            return f'<img src="{source}" width="{width}" height="{height}" alt="film">'
        return (
            f'<video src="{source}" width="{width}" height="{height}" autoplay loop muted playsinline controls></video>'
        )


def film_of_pictures(pictures: Iterable[UInt8[np.ndarray, "H W 3"]], *, format: FilmFormat) -> Film:
    """A `Film` of 8-bit pictures of one size."""
    if format not in ("mp4", "gif"):
        raise ValueError(f"format: expected 'mp4' or 'gif', got {format!r}")
    frames = list(pictures)
    height, width = frames[0].shape[:2]
    check_film(f"film.{format}", height, width)
    buffer = io.BytesIO()
    _write(buffer, frames, f".{format}")
    return Film(buffer.getvalue(), format, (height, width))


def check_film(path: str | Path, height: int, width: int) -> None:
    """Raises: ValueError for another extension, or for a size that the format cannot hold."""
    extension = Path(path).suffix.lower()
    if extension not in FILM_EXTENSIONS:
        raise ValueError(f"path: expected a name that ends in .mp4 or .gif, got {str(path)!r}")
    if extension == ".mp4" and (height % 2 or width % 2):
        odd = height if height % 2 else width
        raise ValueError(f"size: expected an even number of pixels for .mp4, got {odd}")


def write_film(path: str | Path, pictures: Iterable[UInt8[np.ndarray, "H W 3"]]) -> None:
    """Write pictures of one size as a film, 20 a second: .mp4 (H.264, 2×2 blocks of colour) or .gif (plays in a loop).

    >>> write_film("/tmp/grey.gif", [np.full((8, 8, 3), 128, np.uint8)] * 2)
    """
    _write(path, pictures, Path(path).suffix.lower())


def _write(target: str | Path | io.BytesIO, pictures: Iterable[np.ndarray], extension: str) -> None:
    if extension == ".gif":
        frames = list(pictures)
        iio.imwrite(target, frames, extension=extension, duration=1000 / FRAMES_PER_SECOND, loop=0)
        return
    with iio.imopen(target, "w", plugin="pyav", extension=extension) as film:
        film.init_video_stream("libx264", fps=FRAMES_PER_SECOND)
        for frame in pictures:
            film.write_frame(frame)
