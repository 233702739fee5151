"""Camera intrinsics: the matrix ``K`` in pixels and the image size."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.errors import DataError


def intrinsics(fx: Tensor, fy: Tensor, cx: Tensor, cy: Tensor) -> Float[Tensor, "*batch 3 3"]:
    """``K`` from focal lengths and principal point in pixels, which broadcast."""
    fx, fy, cx, cy = torch.broadcast_tensors(fx, fy, cx, cy)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [[fx, zero, cx], [zero, fy, cy], [zero, zero, one]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def square_pixels(focal: Tensor, principal_point: Any, image_size: tuple[int, int]) -> Float[Tensor, "*batch 3 3"]:
    """``K`` of one focal length (*batch) for both axes; the principal point is in the middle if None."""
    height, width = image_size
    centre = torch.as_tensor(
        (width / 2, height / 2) if principal_point is None else principal_point, dtype=focal.dtype, device=focal.device
    )
    if centre.ndim == 0 or centre.shape[-1] != 2:
        raise ValueError(f"principal_point: expected shape (..., 2), got {tuple(centre.shape)}")
    return intrinsics(focal, focal, centre[..., 0], centre[..., 1])


def as_size(size: Any) -> tuple[int, int]:
    """(height, width) as whole numbers.

    Raises:
        DataError: something else than two positive whole numbers.
    """
    try:
        height, width = (int(value) for value in size)
    except (TypeError, ValueError):
        raise DataError(f"image_size: expected (height, width), got {size!r}") from None
    if height < 1 or width < 1 or (height, width) != tuple(size):
        raise DataError(f"image_size: expected two positive whole numbers (height, width), got {tuple(size)}")
    return height, width


def check_intrinsics(K: Tensor) -> None:
    """Raise one line unless every ``K`` is an upper triangle with positive focal lengths.

    Raises:
        DataError: wrong shape, a number that is not finite, others than 0 and 1 below, a focal length that is not > 0.
    """
    if K.ndim < 2 or K.shape[-2:] != (3, 3):
        raise DataError(f"K: expected shape (..., 3, 3), got {tuple(K.shape)}")
    K = K.detach()
    if not bool(torch.isfinite(K).all()):
        raise DataError("K: expected finite numbers, got NaN or infinity")
    below = torch.stack([K[..., 1, 0], K[..., 2, 0], K[..., 2, 1], K[..., 2, 2] - 1])
    if bool((below != 0).any()):
        raise DataError("K: expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]], got other numbers below the diagonal")
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]])
    if not bool((focal > 0).all()):
        raise DataError(f"K: expected positive focal lengths, got {float(focal.min()):g}")
