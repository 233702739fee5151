"""Images as 8-bit pixels and as files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import imageio.v3 as iio
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from renderer.scene.colours import as_colour, srgb_from_linear

Encoding = Literal["srgb", "linear"]

# Rounding in a float32 renderer leaves [0, 1] by less than this; more means that the values are no image.
RANGE_TOLERANCE = 1e-3


def to_uint8(image: Float[Tensor, "*shape"], *, encoding: Encoding = "srgb") -> UInt8[np.ndarray, "*shape"]:
    """Pixels in [0, 1] as 0 … 255, rounded to nearest; any shape.

    encoding: "srgb" takes linear light, as the renderer makes it, to what a screen shows (IEC 61966-2-1);
    "linear" keeps the numbers, as masks and depth need. An alpha channel has to be converted on its own.
    Raises: ValueError for a dtype that is not floating, for NaN, for values outside [0, 1] or for another encoding.

        >>> to_uint8(torch.tensor([0.0, 0.5, 1.0]))
        array([  0, 188, 255], dtype=uint8)
    """
    if not image.is_floating_point():
        raise ValueError(f"image: expected a floating dtype in [0, 1], got {image.dtype}")
    if encoding not in ("srgb", "linear"):
        raise ValueError(f"encoding: expected 'srgb' or 'linear', got {encoding!r}")
    image = image.detach()
    if image.numel():
        low, high = image.amin().item(), image.amax().item()
        if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):
            raise ValueError(f"image: expected values in [0, 1], got {low:.4g} to {high:.4g}")
    image = image.clamp(0, 1)
    if encoding == "srgb":
        image = srgb_from_linear(image)
    return (image * 255).round().to(torch.uint8).cpu().numpy()


def from_srgb(hexadecimal: str) -> Float[Tensor, "3"]:
    """Linear light of a colour written as the web does.

    >>> from_srgb("#ffffff").tolist()
    [1.0, 1.0, 1.0]
    """
    colour: Tensor = as_colour(hexadecimal, name="hexadecimal")
    return colour


def save_image(
    path: str | Path, image: Float[Tensor, "H W"] | Float[Tensor, "H W C"], *, encoding: Encoding = "srgb"
) -> None:
    """Write one image with 1, 3 or 4 channels; the extension names the format.

    Values and encoding as in `to_uint8`; a fourth channel is alpha and always linear.
    Raises: ValueError for another shape or for values outside [0, 1]; OSError when the file cannot be written.

        >>> save_image("grey.png", torch.full((8, 8, 3), 0.5))
    """
    Path(path).write_bytes(encode_image(image, Path(path).suffix, encoding=encoding))


def encode_image(
    image: Float[Tensor, "H W"] | Float[Tensor, "H W C"], extension: str = ".png", *, encoding: Encoding = "srgb"
) -> bytes:
    """The bytes of an image file; arguments as in `save_image`."""
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] not in (1, 3, 4)) or image.numel() == 0:
        raise ValueError(f"image: expected shape (H, W) or (H, W, 1, 3 or 4), got {tuple(image.shape)}")
    if image.ndim == 3 and image.shape[-1] == 4:
        colour = to_uint8(image[..., :3], encoding=encoding)
        pixels = np.concatenate([colour, to_uint8(image[..., 3:], encoding="linear")], axis=-1)
    else:
        pixels = to_uint8(image.squeeze(-1) if image.shape[-1] == 1 else image, encoding=encoding)
    return iio.imwrite("<bytes>", pixels, extension=extension or ".png")
