"""Texture lookup: nearest, bilinear, or trilinear in a pyramid of box-filtered images."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

import renderer.ops.texture  # noqa: F401  registers the op
from renderer.ops.native_function import call
from renderer.reference.texture import level_sizes

Filter = Literal["linear", "nearest", "mipmap"]
Wrap = Literal["repeat", "clamp"]


def texture(
    image: Float[Tensor, "B h w C"],
    uv: Float[Tensor, "B H W 2"],
    *,
    uv_derivatives: Float[Tensor, "B H W 2 2"] | None = None,
    filter: Filter = "linear",
    wrap: Wrap = "repeat",
) -> Float[Tensor, "B H W C"]:
    """The image's values at texture coordinates.

    uv = (0, 0) is the bottom left corner of the image, (1, 1) the top right one; texel centres lie at +0.5, row 0 on
    top. Differentiable in the image and in `uv` (nearest: in the image only).

    Args:
        image: (B, h, w, C), or (1, h, w, C) for all views; linear values.
        uv: (B, H, W, 2).
        uv_derivatives: d (u, v) / d (pixel x, pixel y) as :func:`interpolate` returns it; for "mipmap", and only there.
        filter: "linear" blends the four nearest texels; "nearest" takes one; "mipmap" blends linearly between the two
            levels of a pyramid around level log2(footprint), the footprint being the longer of the steps in texels
            that one pixel in x and in y makes (OpenGL's rule). A level halves the one below it (sizes rounded down),
            each texel the mean of those it covers.
        wrap: outside [0, 1] the image is repeated, or its border texels are ("clamp").

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> uv, slopes = interpolate(mesh_uv[None], fragments, uv_faces, derivatives=True)
        >>> colour = texture(image[None], uv, uv_derivatives=slopes, filter="mipmap")
    """
    _check(image, uv, uv_derivatives, filter, wrap)
    _, height, width, _ = image.shape
    texels, levels = texel_pyramid(image, filter)
    lod = uv.new_zeros(uv.shape[0], 0, 0)
    if uv_derivatives is not None:
        lod = level_of_detail(uv_derivatives, height, width)
    repeat = wrap == "repeat"
    return call("texture", uv, texels, lod, height, width, levels, filter == "nearest", repeat)[0]


def texel_pyramid(image: Float[Tensor, "B h w C"], filter: Filter) -> tuple[Float[Tensor, "B N C"], int]:
    """The texels of the image, and for "mipmap" of the coarser levels after them; and how many levels there are."""
    if filter != "mipmap":
        return image.flatten(1, 2), 1
    levels = max(image.shape[1], image.shape[2]).bit_length()
    return torch.cat([image.flatten(1, 2), *_coarser(image, levels)], 1), levels


def level_of_detail(uv_derivatives: Float[Tensor, "B H W 2 2"], height: int, width: int) -> Float[Tensor, "B H W"]:
    """log2 of the longer of the steps in texels that one pixel in x and in y makes, within the levels there are."""
    steps = uv_derivatives * uv_derivatives.new_tensor([width, height])[:, None]
    longest = (steps * steps).sum(-2).amax(-1)
    top = max(height, width).bit_length() - 1
    # Magnified pixels stay at level 0, and no logarithm of 0 enters the derivatives.
    return (0.5 * longest.clamp(min=1.0).log2()).clamp(max=float(top))


def _coarser(image: Tensor, levels: int) -> list[Tensor]:
    """The levels above the image itself, (B, h_l w_l, C) each."""
    planes, packed = image.movedim(-1, 1), []
    _, height, width, _ = image.shape
    for size in level_sizes(height, width, levels)[1:]:
        planes = torch.nn.functional.adaptive_avg_pool2d(planes, size)
        packed.append(planes.flatten(2).movedim(1, -1))
    return packed


def _check(image: Tensor, uv: Tensor, uv_derivatives: Tensor | None, filter: str, wrap: str) -> None:
    if uv.ndim != 4 or uv.shape[-1] != 2:
        raise ValueError(f"uv: expected shape (B, H, W, 2), got {tuple(uv.shape)}")
    if uv.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"uv: expected float32 or float64, got {uv.dtype}")
    if image.ndim != 4 or image.shape[0] not in (1, uv.shape[0]):
        raise ValueError(f"image: expected shape ({uv.shape[0]}, h, w, C) or (1, h, w, C), got {tuple(image.shape)}")
    if image.shape[1] < 1 or image.shape[2] < 1:
        raise ValueError(f"image: expected at least one texel, got {tuple(image.shape)}")
    if image.dtype != uv.dtype:
        raise TypeError(f"image: expected {uv.dtype} as uv, got {image.dtype}")
    check_filter_and_wrap(filter, wrap)
    if (uv_derivatives is not None) != (filter == "mipmap"):
        came = "none" if uv_derivatives is None else "some"
        expected = "derivatives for filter='mipmap'" if filter == "mipmap" else f"None for filter={filter!r}"
        raise ValueError(f"uv_derivatives: expected {expected}, got {came}")
    if uv_derivatives is not None and uv_derivatives.shape != (*uv.shape, 2):
        raise ValueError(f"uv_derivatives: expected shape {(*uv.shape, 2)}, got {tuple(uv_derivatives.shape)}")


def check_filter_and_wrap(filter: str, wrap: str) -> None:
    """Raise one line unless both are known."""
    if filter not in ("linear", "nearest", "mipmap"):
        raise ValueError(f"filter: expected 'linear', 'nearest' or 'mipmap', got {filter!r}")
    if wrap not in ("repeat", "clamp"):
        raise ValueError(f"wrap: expected 'repeat' or 'clamp', got {wrap!r}")
