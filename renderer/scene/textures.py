"""Texture images: linear RGB in memory, sRGB in files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.colours import encoded_colours
from renderer.scene.images import linear_rgb, read_image


def read_texture(path: str | Path) -> Float[Tensor, "h w 3"]:
    """An image file as linear RGB, float32, row 0 on top; alpha is left out.

    Raises:
        DataError: a missing or unreadable file.
    """
    path = Path(path)
    return torch.from_numpy(np.ascontiguousarray(linear_rgb(read_image(path), path), dtype=np.float32))


def texture_from_pixels(pixels: np.ndarray, name: str) -> Float[Tensor, "h w 3"]:
    """Linear RGB of 8-bit sRGB pixels (h, w), (h, w, 3) or (h, w, 4), as another library holds them."""
    scaled = np.asarray(pixels, dtype=np.float32) / 255
    if scaled.ndim == 2:
        scaled = scaled[..., None]
    return torch.from_numpy(np.ascontiguousarray(linear_rgb(scaled, Path(name)), dtype=np.float32))


def texture_pixels(texture: Float[Tensor, "h w 3"]) -> np.ndarray:
    """8-bit sRGB pixels of linear RGB, rounded to nearest.

    Raises:
        ValueError: a batch of textures, or values outside [0, 1], which no image file holds.
    """
    if texture.ndim != 3:
        raise ValueError(f"texture: expected one texture (h, w, 3), got {tuple(texture.shape)}")
    encoded = encoded_colours(texture.detach().cpu().double(), name="texture")
    return (encoded * 255).round().to(torch.uint8).numpy()


def encode_texture(texture: Float[Tensor, "h w 3"]) -> bytes:
    """A PNG file."""
    import imageio.v3 as iio

    with io.BytesIO() as file:
        iio.imwrite(file, texture_pixels(texture), extension=".png")
        return file.getvalue()
