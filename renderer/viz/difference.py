"""Where two pictures differ, and which way."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.viz.image import from_srgb
from renderer.viz.image_grid import grid

# Orange against blue on grey: told apart with any colour vision, and in grey print the differences stay darker.
BOTH = "#c8ccd2"
ONLY_PREDICTED = MORE = "#e8590c"
ONLY_TARGET = LESS = "#1c5fd4"
NEITHER = EQUAL = "#ffffff"


def signed(values: Float[Tensor, "*batch H W"], *, limit: float | None = None) -> Float[Tensor, "*batch H W 3"]:
    """Numbers of either sign as linear RGB: orange above zero, blue below, white at zero.

    limit: the magnitude that has the full colour, as has everything beyond; by default the largest one there is.
    Raises: ValueError for values that are not finite or a limit that is not positive.

        >>> signed(torch.zeros(1, 1)).tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    if values.ndim < 2 or not values.is_floating_point():
        raise ValueError(f"values: expected a float Tensor (..., H, W), got {values.dtype} {tuple(values.shape)}")
    if not bool(torch.isfinite(values).all()):
        raise ValueError("values: expected finite numbers, got NaN or infinity")
    if limit is not None and not 0 < limit < math.inf:
        raise ValueError(f"limit: expected a positive number, got {limit}")
    values = values.detach()
    largest = float(values.abs().max()) if limit is None and values.numel() else limit
    share = (values / (largest or 1.0)).clamp(-1, 1).unsqueeze(-1)
    more, less, equal = (from_srgb(colour).to(share) for colour in (MORE, LESS, EQUAL))
    return equal + share.clamp(min=0) * (more - equal) + (-share).clamp(min=0) * (less - equal)


def difference(
    predicted: Float[Tensor, "*batch H W C"], target: Float[Tensor, "*batch H W C"], *, limit: float | None = None
) -> Float[Tensor, "*batch H W 3"]:
    """`signed` of predicted - target, the mean over the channels: orange where too bright, blue where too dark.

    Raises: ValueError when the shapes differ, and as `signed` does.

        >>> difference(torch.zeros(8, 8, 3), torch.ones(8, 8, 3)).shape
        torch.Size([8, 8, 3])
    """
    if predicted.shape != target.shape:
        raise ValueError(f"target: expected the shape of predicted {tuple(predicted.shape)}, got {tuple(target.shape)}")
    if predicted.ndim < 3:
        raise ValueError(f"predicted: expected shape (..., H, W, C), got {tuple(predicted.shape)}")
    return signed((predicted - target).mean(-1), limit=limit)


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
    predicted: Float[Tensor, "N H W *C"],
    target: Float[Tensor, "N H W *C"],
    *,
    limit: float | None = None,
    padding: int = 2,
) -> Float[Tensor, "rows cols 3"]:
    """One row for each view: target, prediction, and how they differ.

    Masks (N, H, W) differ by their `overlay`, pictures (N, H, W, 3) by their `difference` with one limit for all.
    Raises: ValueError when the shapes differ or are neither, and for a limit beside masks.

        >>> compare(torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)).shape
        torch.Size([18, 28, 3])
    """
    if predicted.ndim != 3 and (predicted.ndim != 4 or predicted.shape[-1] != 3):
        raise ValueError(f"predicted: expected shape (N, H, W) or (N, H, W, 3), got {tuple(predicted.shape)}")
    if predicted.ndim == 4:
        differences = difference(predicted, target, limit=limit)
    elif limit is None:
        differences = overlay(predicted, target)
        predicted, target = (masks.unsqueeze(-1).expand(*masks.shape, 3) for masks in (predicted, target))
    else:
        raise ValueError(f"limit: expected None beside masks, whose overlay has none, got {limit}")
    rows = zip(target.detach(), predicted.detach(), differences, strict=True)
    return grid([image for row in rows for image in row], columns=3, padding=padding, background=0.5)
