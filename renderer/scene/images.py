"""Image files: masks as coverage in [0, 1], pictures as linear RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from renderer.scene.errors import DataError

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr")

INSIDE = 0.5
"""A pixel counts as inside a silhouette from this coverage on."""


def read_image(path: Path) -> np.ndarray:
    """The stored values of an image file as float32 (H, W, C), C = 1 to 4, integers scaled to [0, 1].

    Raises:
        DataError: a missing or unreadable file, or values that are not finite.
    """
    import imageio.v3 as iio

    if not path.is_file():
        raise DataError(f"{path}: no such image")
    try:
        # One named decoder, so that what can be read does not depend on which others are installed; it has no OpenEXR.
        exr = path.suffix.lower() == ".exr"
        pixels = np.asarray(iio.imread(path) if exr else iio.imread(path, plugin="pillow"))
    except Exception as error:  # a broken file can make a decoder raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{path}: cannot be read as an image ({lines[0]})") from None
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or pixels.size == 0:
        raise DataError(f"{path}: expected one image of 1 to 4 channels, got an array of shape {pixels.shape}")
    if pixels.dtype == np.bool_:
        return pixels.astype(np.float32)
    if np.issubdtype(pixels.dtype, np.integer):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if not np.isfinite(pixels).all():
        raise DataError(f"{path}: expected finite pixel values, got NaN or infinity")
    return pixels.astype(np.float32)


def mask_of_image(pixels: np.ndarray, path: Path) -> np.ndarray:
    """The alpha channel (H, W) of a picture, or the only channel of a mask.

    Raises:
        DataError: a colour image without alpha, values outside [0, 1], or an empty mask.
    """
    channels = pixels.shape[2]
    if channels == 3:
        raise DataError(f"{path}: no alpha channel: expected an RGBA image or a mask of one channel, got RGB")
    return _checked(pixels[..., -1], path)


def mask_of_mask_file(pixels: np.ndarray, path: Path) -> np.ndarray:
    """The coverage (H, W) in a file known to be a mask: grey, grey stored as RGB, or alpha where it is not all opaque.

    Raises:
        DataError: a colour image, values outside [0, 1], or an empty mask.
    """
    channels = pixels.shape[2]
    if channels in (2, 4):
        if pixels[..., -1].min() < 1:
            return _checked(pixels[..., -1], path)
        pixels = pixels[..., :-1]
    if (pixels != pixels[..., :1]).any():
        raise DataError(f"{path}: expected a mask (grey or alpha), got a colour image")
    return _checked(pixels[..., 0], path)


def linear_rgb(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Linear RGB (H, W, 3) of stored sRGB values; grey is repeated, alpha is left out (colours are not premultiplied).

    sRGB's transfer function: c/12.92 up to 0.04045, else ((c + 0.055)/1.055)^2.4 (IEC 61966-2-1).
    """
    colour = pixels[..., :-1] if pixels.shape[2] in (2, 4) else pixels
    if path.suffix.lower() == ".exr":
        linear = colour  # OpenEXR stores linear light
    else:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((np.maximum(colour, 0) + 0.055) / 1.055) ** 2.4)
    return np.repeat(linear, 3, axis=2) if linear.shape[2] == 1 else linear


def size_text(size: Any) -> str:
    """(height, width) the way people write it: width×height."""
    height, width = size
    return f"{width}×{height}"


def _checked(mask: np.ndarray, path: Path) -> np.ndarray:
    if mask.min() < 0 or mask.max() > 1:
        raise DataError(f"{path}: expected coverage from 0 to 1, got {mask.min():g} to {mask.max():g}")
    if not (mask >= INSIDE).any():
        raise DataError(f"{path}: empty mask: no pixel reaches coverage {INSIDE:g}")
    return np.ascontiguousarray(mask)
