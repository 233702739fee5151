"""Settings of the published soft rasterisers, in our units.

They measure distances in normalised device coordinates, in which the image is 2 wide: one unit is `image_size / 2`
pixels.
"""

from __future__ import annotations

import math
from typing import Any

from renderer.relax.distributions import Distribution, distribution

LARGEST_EXPONENT = 600.0
"""exp overflows a little above; a coverage of exp(-600) is 0 for every purpose."""


def _pixels_per_unit(image_size: int) -> float:
    if image_size < 1:
        raise ValueError(f"image_size: expected the width of the image in pixels, got {image_size}")
    return image_size / 2


def from_gendr(name: str, tau: float, image_size: int, *, squared: bool = False, **options: Any) -> Distribution:
    """GenDR's distribution with scale `tau` in NDC (NDC^2 when squared) as one in pixels (pixels^2).

    Args:
        name: any name of `renderer.relax.DISTRIBUTIONS`.
        tau: GenDR's dist_scale, as in Petersen et al. 2022, Table 3: log10 tau = -2 for the logistic, say.
        image_size: width of the square image in pixels.
        options: `shape`, `shift`, `support_eps` of `renderer.relax.distribution`.

    Example:
        >>> from_gendr("logistic", 1e-2, 64).scale      # 0.32 pixels
    """
    unit = _pixels_per_unit(image_size)
    return distribution(name, scale=tau * (unit * unit if squared else unit), squared=squared, **options)


def from_softras(sigma: float, image_size: int, *, blur_radius: float | None = None) -> Distribution:
    """SoftRas' and PyTorch3D's `sigma` (NDC^2): logistic in the squared distance; aggregate with "probabilistic".

    Liu et al., ICCV 2019, eq. 3: D = sigmoid(sign d^2 / sigma).

    Args:
        sigma: in NDC^2.
        image_size: width of the square image in pixels; the shorter side of another one.
        blur_radius: PyTorch3D's, in NDC^2: a face counts up to this squared distance, that is where it still covers
            sigmoid(-blur_radius / sigma). Our own `support_eps` where left out.

    Example:
        >>> from_softras(1e-4, 64)
    """
    eps = None
    if blur_radius is not None:
        if not (blur_radius > 0 and sigma > 0):
            raise ValueError(f"blur_radius, sigma: expected positive numbers, got {blur_radius} and {sigma}")
        eps = 1 / (1 + math.exp(min(blur_radius / sigma, LARGEST_EXPONENT)))
    return from_gendr("logistic", sigma, image_size, squared=True, support_eps=eps)
