"""Compare silhouettes, predicted coverage against a target mask, both in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from renderer.losses.reduction import Reduction, reduce_batch


def soft_iou(
    predicted: Float[Tensor, "*batch H W"], target: Float[Tensor, "*batch H W"], *, reduction: Reduction = "mean"
) -> Tensor:
    """One minus the intersection over union of two soft masks, per image, then reduced over the batch.

    1 − Σpq / Σ(p + q − pq), sums over the pixels of an image; two empty masks agree, loss 0. It is 0 for equal
    binary masks; for fractional pixels pq < p, so that the least loss of an antialiased target is above 0 (use
    `mse` where the fit must be unbiased). Differentiable in both masks. Equation: SoftRas, arXiv 1904.01786.
    Raises: ValueError when shapes or dtypes differ.

        >>> float(soft_iou(torch.ones(2, 8, 8), torch.ones(2, 8, 8)))
        0.0
    """
    _check_masks(predicted, target)
    product = predicted * target
    intersection = product.sum((-2, -1))
    union = (predicted + target - product).sum((-2, -1))
    return reduce_batch(1 - _ratio_or_one(intersection, union), reduction)


def dice(
    predicted: Float[Tensor, "*batch H W"], target: Float[Tensor, "*batch H W"], *, reduction: Reduction = "mean"
) -> Tensor:
    """One minus the Dice overlap of two soft masks, per image, then reduced over the batch.

    1 − 2Σpq / Σ(p + q), sums over the pixels of an image; two empty masks agree, loss 0. Differentiable in both
    masks. Equation: Milletari et al., V-Net (2016), with plain sums in the denominator.
    Raises: ValueError when shapes or dtypes differ.

        >>> float(dice(torch.ones(2, 8, 8), torch.ones(2, 8, 8)))
        0.0
    """
    _check_masks(predicted, target)
    overlap = 2 * (predicted * target).sum((-2, -1))
    return reduce_batch(1 - _ratio_or_one(overlap, (predicted + target).sum((-2, -1))), reduction)


def mse(
    predicted: Float[Tensor, "*batch H W"], target: Float[Tensor, "*batch H W"], *, reduction: Reduction = "mean"
) -> Tensor:
    """Mean squared difference over the pixels of each image, then reduced over the batch.

    Differentiable in both masks. Raises: ValueError when shapes or dtypes differ.

        >>> float(mse(torch.ones(2, 8, 8), torch.zeros(2, 8, 8)))
        1.0
    """
    _check_masks(predicted, target)
    return reduce_batch((predicted - target).square().mean((-2, -1)), reduction)


def multi_scale(
    predicted: Float[Tensor, "*batch H W"],
    target: Float[Tensor, "*batch H W"],
    *,
    levels: int,
    loss: Callable[[Tensor, Tensor], Tensor] = soft_iou,
) -> Tensor:
    """Mean of a loss over an image pyramid: `levels` resolutions, each half the one before.

    A pyramid pixel is the mean of its 2×2 block; where a side is odd the last row or column averages the one or
    two pixels that exist. Differentiable in both masks. Pass a partial (`functools.partial(mse, reduction="none")`)
    for another loss or reduction.
    Raises: ValueError when shapes or dtypes differ, or when levels is not in 1 … the number that reaches 1×1.

        >>> float(multi_scale(torch.ones(2, 8, 8), torch.ones(2, 8, 8), levels=3))
        0.0
    """
    _check_masks(predicted, target)
    most = (max(predicted.shape[-2:]) - 1).bit_length() + 1
    if not 1 <= levels <= most:
        raise ValueError(f"levels: expected 1 to {most} for images of {_size(predicted)} pixels, got {levels}")
    total = loss(predicted, target)
    for _ in range(levels - 1):
        predicted, target = _halve(predicted), _halve(target)
        total = total + loss(predicted, target)
    return total / levels


def hard_iou(
    predicted: Float[Tensor, "*batch H W"] | Bool[Tensor, "*batch H W"],
    target: Float[Tensor, "*batch H W"] | Bool[Tensor, "*batch H W"],
    *,
    threshold: float = 0.5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Intersection over union of two masks cut at a threshold: a metric, without gradient.

    A pixel counts as covered where its value is above the threshold; two empty masks have IoU 1. Boolean masks
    are taken as they are. The result is float64.
    Raises: ValueError when the shapes differ.

        >>> float(hard_iou(torch.ones(2, 8, 8), torch.ones(2, 8, 8)))
        1.0
    """
    _check_shapes(predicted, target)
    inside, wanted = (mask if mask.dtype == torch.bool else mask > threshold for mask in (predicted, target))
    intersection = (inside & wanted).sum((-2, -1), dtype=torch.float64)
    union = (inside | wanted).sum((-2, -1), dtype=torch.float64)
    return reduce_batch(_ratio_or_one(intersection, union), reduction)


def _ratio_or_one(numerator: Tensor, denominator: Tensor) -> Tensor:
    """numerator / denominator, and 1 (without gradient) where the denominator is zero."""
    empty = denominator == 0
    return torch.where(empty, 1.0, numerator / torch.where(empty, 1.0, denominator))


def _halve(image: Tensor) -> Tensor:
    flat = image.reshape(-1, 1, *image.shape[-2:])
    # Without padding, ceil_mode divides by the number of pixels that exist: an odd border is kept, not dropped.
    half = torch.nn.functional.avg_pool2d(flat, 2, ceil_mode=True)
    return half.reshape(*image.shape[:-2], *half.shape[-2:])


def _size(image: Tensor) -> str:
    return f"{image.shape[-2]}×{image.shape[-1]}"


def _check_shapes(predicted: Tensor, target: Tensor) -> None:
    if predicted.ndim < 2:
        raise ValueError(f"predicted: expected shape (..., H, W), got {tuple(predicted.shape)}")
    if predicted.shape != target.shape:
        raise ValueError(f"target: expected the shape of predicted {tuple(predicted.shape)}, got {tuple(target.shape)}")


def _check_masks(predicted: Tensor, target: Tensor) -> None:
    _check_shapes(predicted, target)
    if not predicted.is_floating_point():
        raise ValueError(f"predicted: expected a floating dtype, got {predicted.dtype}")
    if target.dtype != predicted.dtype:
        raise ValueError(f"target: expected the dtype of predicted {predicted.dtype}, got {target.dtype}")
