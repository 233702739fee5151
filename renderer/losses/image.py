"""Compare pictures: predicted colours against a target."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.losses.reduction import Reduction, reduce_batch

WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation, in pixels, of SSIM's Gaussian window."""


def l1(
    predicted: Float[Tensor, "B H W C"],
    target: Float[Tensor, "B H W C"],
    *,
    weight: Float[Tensor, "B H W"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean absolute difference over pixels and channels of each image, then reduced over the batch.

    Differentiable in everything. weight: of each pixel, such as a mask; the mean is a weighted one, 0 without weight.
    Raises: ValueError for shapes or dtypes that differ.

        >>> float(l1(torch.ones(1, 4, 4, 3), torch.zeros(1, 4, 4, 3)))
        1.0
    """
    return _mean((predicted - target).abs(), predicted, target, weight, reduction)


def huber(
    predicted: Float[Tensor, "B H W C"],
    target: Float[Tensor, "B H W C"],
    *,
    delta: float = 0.1,
    weight: Float[Tensor, "B H W"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """As :func:`l1`, quadratic below `delta`: d²/(2δ) there and |d| − δ/2 beyond, which has the same slope."""
    if not delta > 0:
        raise ValueError(f"delta: expected a positive number, got {delta}")
    loss = torch.nn.functional.huber_loss(predicted, target, reduction="none", delta=delta) / delta
    return _mean(loss, predicted, target, weight, reduction)


def image_mse(
    predicted: Float[Tensor, "B H W C"],
    target: Float[Tensor, "B H W C"],
    *,
    weight: Float[Tensor, "B H W"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """As :func:`l1`, of the squared difference."""
    return _mean((predicted - target).square(), predicted, target, weight, reduction)


def psnr(
    predicted: Float[Tensor, "B H W C"],
    target: Float[Tensor, "B H W C"],
    *,
    weight: Float[Tensor, "B H W"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Peak signal-to-noise ratio in decibels of images in [0, 1]: −10 log10 of the mean squared difference.

    >>> float(psnr(torch.full((1, 4, 4, 3), 0.1), torch.zeros(1, 4, 4, 3)))
    20.0
    """
    return reduce_batch(-10 * image_mse(predicted, target, weight=weight, reduction="none").log10(), reduction)


def ssim(
    predicted: Float[Tensor, "B H W C"], target: Float[Tensor, "B H W C"], *, reduction: Reduction = "mean"
) -> Tensor:
    """Structural similarity of images in [0, 1]: 1 where they are equal; over windows that lie in the image.

    (2μₓμ_y + c₁)(2σ_xy + c₂) / ((μₓ² + μ_y² + c₁)(σₓ² + σ_y² + c₂)), c₁ = .01², c₂ = .03², in a Gaussian window.
    Differentiable in both. Source: Wang et al., IEEE Transactions on Image Processing 13, 2004.
    Raises: ValueError also for images smaller than the window, 11 pixels.
    """
    _check(predicted, target, None)
    if min(predicted.shape[1:3]) < WINDOW:
        raise ValueError(f"predicted: expected at least {WINDOW} × {WINDOW} pixels, got {tuple(predicted.shape[1:3])}")
    x, y = predicted.movedim(-1, 1), target.movedim(-1, 1)
    offsets = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - (WINDOW - 1) / 2
    profile = torch.exp(-0.5 * (offsets / SIGMA).square())
    profile = profile / profile.sum()

    def blur(image: Tensor) -> Tensor:
        planes = image.flatten(0, 1).unsqueeze(1)
        planes = torch.nn.functional.conv2d(planes, profile.reshape(1, 1, -1, 1))
        return torch.nn.functional.conv2d(planes, profile.reshape(1, 1, 1, -1)).unflatten(0, image.shape[:2])[:, :, 0]

    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x * mean_x, blur(y * y) - mean_y * mean_y
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x.square() + mean_y.square() + c1) * (variance_x + variance_y + c2))
    return reduce_batch(similarity.mean((1, 2, 3)), reduction)


def _mean(loss: Tensor, predicted: Tensor, target: Tensor, weight: Tensor | None, reduction: Reduction) -> Tensor:
    _check(predicted, target, weight)
    if weight is None:
        return reduce_batch(loss.mean((1, 2, 3)), reduction)
    total = weight.sum((1, 2))
    mean = (loss.mean(-1) * weight).sum((1, 2)) / torch.where(total > 0, total, 1.0)
    return reduce_batch(mean, reduction)


def _check(predicted: Tensor, target: Tensor, weight: Tensor | None) -> None:
    if predicted.ndim != 4 or predicted.shape != target.shape or predicted.numel() == 0:
        came = f"{tuple(predicted.shape)} and {tuple(target.shape)}"
        raise ValueError(f"predicted, target: expected one shape (B, H, W, C), got {came}")
    if predicted.dtype != target.dtype:
        raise ValueError(f"target: expected {predicted.dtype} as predicted, got {target.dtype}")
    if weight is not None and weight.shape != predicted.shape[:3]:
        raise ValueError(f"weight: expected shape {tuple(predicted.shape[:3])}, got {tuple(weight.shape)}")
