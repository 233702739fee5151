"""Put images side by side, and show where two silhouettes differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.viz.image import from_srgb

# Orange against blue on grey: told apart with any colour vision, and in grey print the differences stay darker.
BOTH = "#c8ccd2"
ONLY_PREDICTED = "#e8590c"
ONLY_TARGET = "#1c5fd4"
NEITHER = "#ffffff"


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


def overlay(
    predicted: Float[Tensor, "*batch H W"], target: Float[Tensor, "*batch H W"]
) -> Float[Tensor, "*batch H W 3"]:
    """Signed difference of two masks in [0, 1] as linear RGB, fractional pixels mixed in proportion.

    Grey where both cover, orange where only the prediction does, blue where only the target does, else white.
    Raises: ValueError when the shapes differ.

        >>> overlay(torch.zeros(1, 1), torch.zeros(1, 1)).tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    if predicted.shape != target.shape:
        raise ValueError(f"target: expected the shape of predicted {tuple(predicted.shape)}, got {tuple(target.shape)}")
    p, t = predicted.detach().unsqueeze(-1), target.detach().unsqueeze(-1)
    # min and the differences, not products: where an antialiased edge is matched exactly nothing is coloured.
    both = torch.minimum(p, t)
    shares = {BOTH: both, ONLY_PREDICTED: p - both, ONLY_TARGET: t - both, NEITHER: 1 - torch.maximum(p, t)}
    return sum((share * from_srgb(colour).to(p) for colour, share in shares.items()), torch.zeros_like(p))


def compare(
    predicted: Float[Tensor, "N H W"], target: Float[Tensor, "N H W"], *, padding: int = 2
) -> Float[Tensor, "rows cols 3"]:
    """One row for each view: target, prediction and their `overlay`.

    Raises: ValueError when the shapes differ or are not (N, H, W).

        >>> compare(torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)).shape
        torch.Size([18, 28, 3])
    """
    if predicted.ndim != 3:
        raise ValueError(f"predicted: expected shape (N, H, W), got {tuple(predicted.shape)}")
    difference = overlay(predicted, target)
    cells = [
        image
        for t, p, d in zip(target.detach(), predicted.detach(), difference, strict=True)
        for image in (t.unsqueeze(-1).expand(*t.shape, 3), p.unsqueeze(-1).expand(*p.shape, 3), d)
    ]
    return grid(cells, columns=3, padding=padding, background=0.5)
