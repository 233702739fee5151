"""Films from pictures, .mp4 or .gif."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from jaxtyping import UInt8

FRAMES_PER_SECOND = 20
FILM_EXTENSIONS = (".mp4", ".gif")


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
    if Path(path).suffix.lower() == ".gif":
        iio.imwrite(path, list(pictures), duration=1000 / FRAMES_PER_SECOND, loop=0)
        return
    with iio.imopen(path, "w", plugin="pyav") as film:
        film.init_video_stream("libx264", fps=FRAMES_PER_SECOND)
        for picture in pictures:
            film.write_frame(picture)
