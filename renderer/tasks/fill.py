"""Fill what no picture has shown."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def fill_holes(image: Float[Tensor, "h w C"], weight: Float[Tensor, "h w"]) -> Float[Tensor, "h w C"]:
    """The image where weight > 0; elsewhere what its surroundings suggest.

    Pull: coarser and coarser means of the known texels; push: each unknown texel takes the value of the finest level
    that knows one, interpolated (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4).

    Raises:
        ValueError: no known texel.
    """
    known = (weight > 0).to(image)[None, None]
    if not bool(known.any()):
        raise ValueError("weight: expected a known texel, got none")
    planes = image.movedim(-1, 0)[None] * known
    return _filled(planes, known)[0].movedim(0, -1)


def _filled(planes: Tensor, known: Tensor) -> Tensor:
    """planes (1, C, h, w), 0 where known (1, 1, h, w) is 0."""
    if bool(known.all()):
        return planes
    size = planes.shape[-2:]
    half = (max(1, size[0] // 2), max(1, size[1] // 2))
    share = torch.nn.functional.adaptive_avg_pool2d(known, half)
    mean = torch.nn.functional.adaptive_avg_pool2d(planes, half) / torch.where(share > 0, share, 1.0)
    coarse = _filled(mean, (share > 0).to(planes))
    rest = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return torch.where(known > 0, planes, rest)
