"""Images side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor


def grid(
    images: Float[Tensor, "N H W *C"] | Sequence[Float[Tensor, "H W *C"]],
    *,
    columns: int | None = None,
    padding: int = 2,
    background: float = 1.0,
) -> Float[Tensor, "rows cols *C"]:
    """Images of one size in reading order; by default in a grid as nearly square as possible.

    Masks (H, W) give a mask (rows, cols). padding: pixels between the images. Differentiable in the images.
    Raises: ValueError for no images, different shapes, columns < 1 or padding < 0.

        >>> grid(torch.zeros(6, 8, 8, 3), padding=1).shape
        torch.Size([17, 26, 3])
    """
    images = list(images)
    if not images:
        raise ValueError("images: expected at least one image, got none")
    first = images[0].shape
    if len(first) not in (2, 3):
        raise ValueError(f"images: expected shape (H, W) or (H, W, C) each, got {tuple(first)}")
    for i, image in enumerate(images):
        if image.shape != first:
            raise ValueError(f"images[{i}]: expected the shape of the first {tuple(first)}, got {tuple(image.shape)}")
    if padding < 0:
        raise ValueError(f"padding: expected >= 0 pixels, got {padding}")
    columns = math.ceil(math.sqrt(len(images))) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    height, width = first[0] + padding, first[1] + padding
    canvas = images[0].new_full((rows * height - padding, columns * width - padding, *first[2:]), background)
    for i, image in enumerate(images):
        top, left = height * (i // columns), width * (i % columns)
        canvas[top : top + first[0], left : left + first[1]] = image
    return canvas
