"""Soft silhouettes: how much of each pixel a mesh covers, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.ops import native
from renderer.ops.native_function import call
from renderer.relax.distributions import Distribution
from renderer.relax.t_conorms import TConorm

CoverageMode = Literal["face", "outline"]

SUPPORT_EPS = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Coverage below this is cut to exactly 0 where the distribution does not set its own `support_eps`: at most so much is
lost a face. It is about what the precision resolves. A heavy tail then reaches over the whole image; there a larger
`support_eps` trades accuracy for time."""


def support_eps(distribution: Distribution, dtype: torch.dtype) -> float:
    """The coverage below which a face is cut: the distribution's own, or the default for the precision."""
    return SUPPORT_EPS[dtype] if distribution.support_eps is None else distribution.support_eps


def call_coverage(
    run: Callable[..., Tensor],
    screen_vertices: Tensor,
    faces: Tensor,
    image_size: tuple[int, int],
    distribution: Distribution,
    t_conorm: TConorm | None,
    coverage: str,
) -> Tensor:
    """Checks the arguments of `soft_silhouette` and hands them to `run(op, vertices, faces, parameters, *settings)`."""
    height, width = image_size
    native.check_screen(screen_vertices, faces, height, width)
    if not isinstance(distribution, Distribution):
        raise TypeError(f"distribution: expected renderer.relax.distribution(...), got {type(distribution).__name__}")
    if coverage not in ("face", "outline"):
        raise ValueError(f"coverage: expected 'face' or 'outline', got {coverage!r}")
    if t_conorm is not None and not isinstance(t_conorm, TConorm):
        raise TypeError(f"t_conorm: expected renderer.relax.t_conorm(...) or None, got {type(t_conorm).__name__}")
    if coverage == "face" and t_conorm is None:
        raise ValueError("t_conorm: coverage='face' aggregates over faces and needs one, got None")
    dtype, device = screen_vertices.dtype, screen_vertices.device
    p = torch.zeros((), dtype=dtype, device=device)
    if t_conorm is not None and coverage == "face":
        p = t_conorm.parameter(dtype, device)
    parameters = torch.cat([distribution.parameters(dtype, device), p.reshape(1)])
    settings = (height, width, distribution.name, distribution.squared, support_eps(distribution, dtype))
    if coverage == "outline":
        return run("outline_coverage", screen_vertices, faces, parameters, *settings)
    assert t_conorm is not None
    return run("face_coverage", screen_vertices, faces, parameters, *settings, t_conorm.name)


def soft_silhouette(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    distribution: Distribution,
    t_conorm: TConorm | None = None,
    coverage: CoverageMode = "face",
) -> Float[Tensor, "B H W"]:
    r"""Soft silhouettes of a mesh in screen space, values in [0, 1].

    `coverage="face"`: every face f covers a pixel by F(d_f), the distribution's CDF at the signed distance in pixels
    to the face's boundary (positive inside), and the T-conorm aggregates over faces (Petersen et al., GenDR, CVPR
    2022). `coverage="outline"`: F(d), with d the signed distance to the boundary of the *union* of the faces;
    unbiased on fine meshes, and no T-conorm is needed. Farther than the distribution's support the coverage is
    exactly 0 (outline: or 1).

    Differentiable in `screen_vertices` (x and y), the distribution's scale, shape and shift, and the T-conorm's p.
    Second derivatives run through `renderer.reference`, with memory proportional to pixels x faces.

    Args:
        screen_vertices: pixel x, pixel y (pixel centres at +0.5, row 0 on top) and depth. A face with a vertex at
            depth <= 0 is behind the camera and contributes nothing; `renderer.raster.clip_near` splits such faces
            first.
        faces: vertex indices, int64, shared by the batch. Zero-area faces have no inside.
        image_size: (H, W).
        distribution: from `renderer.relax.distribution`, scale in pixels (pixels^2 when squared). Its `support_eps`
            is the coverage below which a face is cut (default: 1e-6 in float32, 1e-12 in float64).
        t_conorm: from `renderer.relax.t_conorm`; required for "face", not used by "outline".

    Raises:
        ValueError, TypeError: one line naming the argument, what was expected and what came (also for an index out of
            range and for a vertex that is not finite).

    Example:
        >>> d = renderer.relax.distribution("logistic", scale=0.5)
        >>> s = renderer.relax.t_conorm("probabilistic")
        >>> alpha = soft_silhouette(xyz, faces, (256, 256), distribution=d, t_conorm=s)
    """
    return call_coverage(lambda *a: call(*a)[0], screen_vertices, faces, image_size, distribution, t_conorm, coverage)
