"""Soft silhouettes: how much of each pixel a mesh covers, differentiable in positions and in the perturbation's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.ops import native
from renderer.ops.coverage_function import Coverage
from renderer.relax.distributions import Distribution
from renderer.relax.t_conorms import TConorm

CoverageMode = Literal["face", "outline"]


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
    p = t_conorm.p if t_conorm is not None and coverage == "face" and t_conorm.p is not None else 0.0
    p = torch.as_tensor(p, dtype=dtype, device=device)
    parameters = torch.cat([distribution.parameters(dtype, device), p.reshape(1)])
    settings = (height, width, distribution.name, distribution.squared, distribution.support_eps_or_default)
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

    `coverage="face"`: every face f covers a pixel by F(d_f), the distribution's CDF at the signed distance in pixels to the
    face's boundary (positive inside), and the T-conorm aggregates over faces (Petersen et al., GenDR, CVPR 2022).
    `coverage="outline"`: F(d), with d the signed distance to the boundary of the *union* of the faces; unbiased on fine meshes,
    and no T-conorm is needed. Farther than the distribution's support the coverage is exactly 0 (outline: or 1).

    Differentiable in `screen_vertices` (x and y), the distribution's scale, shape and shift, and the T-conorm's p. Second
    derivatives run through `renderer.reference`, with memory proportional to pixels x faces.

    Args:
        screen_vertices: pixel x, pixel y (pixel centres at +0.5, row 0 on top) and depth. A face with a vertex at depth <= 0 is
            behind the camera and contributes nothing; `renderer.raster.clip_near` splits such faces first.
        faces: vertex indices, int64, shared by the batch. Zero-area faces have no inside.
        image_size: (H, W).
        distribution: from `renderer.relax.distribution`, scale in pixels (pixels^2 when squared).
        t_conorm: from `renderer.relax.t_conorm`; required for "face", not used by "outline".

    Raises:
        ValueError, TypeError: one line naming the argument, what was expected and what came (also for an index out of
            range and for a vertex that is not finite).

    Example:
        >>> d = renderer.relax.distribution("logistic", scale=0.5)
        >>> alpha = soft_silhouette(xyz, faces, (256, 256), distribution=d, t_conorm=renderer.relax.t_conorm("probabilistic"))
    """
    return call_coverage(lambda *a: Coverage.apply(*a)[0], screen_vertices, faces, image_size, distribution, t_conorm, coverage)
