"""Settings of the published soft rasterisers, in our units.

They measure distances in normalised device coordinates, in which the image is 2 wide: one unit is `image_size / 2`
pixels.
"""

from __future__ import annotations

from typing import Any

from renderer.relax.distributions import Distribution, distribution


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


def from_softras(sigma: float, image_size: int) -> Distribution:
    """SoftRas' and PyTorch3D's `sigma` (NDC^2): logistic in the squared distance; aggregate with "probabilistic".

    Liu et al., ICCV 2019, eq. 3: D = sigmoid(sign d^2 / sigma).

    Example:
        >>> from_softras(1e-4, 64)
    """
    return from_gendr("logistic", sigma, image_size, squared=True)
