"""The plain-PyTorch twin of `renderer.raster.soft_silhouette`."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from renderer.raster.coverage import CoverageMode, call_coverage
from renderer.reference.face_coverage import face_coverage
from renderer.reference.outline_coverage import outline_coverage
from renderer.relax.distributions import Distribution
from renderer.relax.t_conorms import TConorm

_OPS: dict[str, Callable[..., Tensor]] = {"face_coverage": face_coverage, "outline_coverage": outline_coverage}


def soft_silhouette(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    distribution: Distribution,
    t_conorm: TConorm | None = None,
    coverage: CoverageMode = "face",
) -> Float[Tensor, "B H W"]:
    """As `renderer.raster.soft_silhouette`, every pixel against every face, by autograd: memory O(pixels x faces)."""
    return call_coverage(
        lambda op, *args: _OPS[op](*args), screen_vertices, faces, image_size, distribution, t_conorm, coverage
    )
