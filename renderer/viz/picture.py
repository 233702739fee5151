"""Pictures that show themselves in a notebook."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from renderer.viz.image import to_uint8
from renderer.viz.image_grid import grid

CHANNELS = (1, 3, 4)

PAPER, INK = 255, "#1f2733"
CAPTION_SIZE = 13  # pixels
CAPTION_MARGIN = 4
NO_CHARACTER = "\uffff"  # what a font has no glyph for, it draws as this


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """8-bit sRGB pixels (H, W, 3); the last expression of a notebook's cell, it is displayed.

    >>> Picture(np.zeros((8, 8, 3), np.uint8)).save("black.png")
    """

    pixels: UInt8[np.ndarray, "H W 3"]

    def __post_init__(self) -> None:
        shape, dtype = np.shape(self.pixels), getattr(self.pixels, "dtype", None)
        if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"pixels: expected uint8 (H, W, 3), got {dtype} {shape}")

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture of {width} × {height} pixels"

    def save(self, path: str | Path) -> None:
        """Write a file; the extension names the format."""
        iio.imwrite(path, self.pixels)

    def _repr_png_(self) -> bytes:
        return iio.imwrite("<bytes>", self.pixels, extension=".png", optimize=True)


def split_images(images: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Single images (H, W) or (H, W, C) of an image, a batch or a list of either.

    Three dimensions are one image where the last has 1, 3 or 4 entries, else a batch of masks.
    Raises: ValueError for anything else.
    """
    if not isinstance(images, Tensor):
        parts = [split_images(image) for image in images]
        return [image for part in parts for image in part]
    if images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in CHANNELS):
        return [images]
    if images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in CHANNELS):
        return list(images)
    expected = "(H, W), (N, H, W), (H, W, C) or (N, H, W, C) with 1, 3 or 4 channels C"
    raise ValueError(f"images: expected shape {expected}, got {tuple(images.shape)}")


def picture(
    images: Float[Tensor, "*batch H W"] | Float[Tensor, "*batch H W C"] | Sequence[Tensor],
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    zoom: int = 1,
    padding: int = 4,
) -> Picture:
    """One image, or many in a grid, each with a caption below it where there are captions.

    Args:
        images: in [0, 1]; colours are linear RGB, masks (H, W) keep their numbers, so that ½ is the middle grey of the
            screen. Of RGBA, as the renderers make it, the colours are shown, which lie over their background already.
            Sizes may differ: each image lies in the middle of a cell as large as the largest.
        captions: one for each image.
        columns: images in a row; by default as nearly square as possible.
        zoom: a pixel becomes a square of this many.
        padding: white pixels between the images.

    Raises: ValueError for shapes that are no images, values outside [0, 1], or captions of another number.

        >>> picture(torch.zeros(3, 8, 8), captions=["a", "b", "c"], columns=3)
        Picture of 35 × 29 pixels
    """
    if zoom < 1 or zoom != int(zoom):
        raise ValueError(f"zoom: expected a whole number >= 1, got {zoom}")
    parts = split_images(images)
    if not parts:
        raise ValueError("images: expected at least one, got none")
    if captions is not None and (isinstance(captions, str) or len(captions) != len(parts)):
        came = "a string" if isinstance(captions, str) else len(captions)
        raise ValueError(f"captions: expected {len(parts)}, as many as images, got {came}")
    cells = [_rgb(image).repeat(zoom, 0).repeat(zoom, 1) for image in parts]
    cells = _middled(cells)
    if captions is not None:
        cells = _captioned(cells, captions)
    sheet = grid([torch.from_numpy(cell) for cell in cells], columns=columns, padding=padding, background=PAPER)
    return Picture(sheet.numpy())


def _rgb(image: Tensor) -> UInt8[np.ndarray, "H W 3"]:
    image = image.to(torch.float32) if image.dtype == torch.bool else image
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image.squeeze(-1)
    if image.ndim == 2:
        return np.repeat(to_uint8(image, encoding="linear")[..., None], 3, axis=-1)
    return to_uint8(image[..., :3])


def _middled(cells: list[np.ndarray]) -> list[np.ndarray]:
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    out = []
    for cell in cells:
        above, left = (height - cell.shape[0]) // 2, (width - cell.shape[1]) // 2
        below, right = height - cell.shape[0] - above, width - cell.shape[1] - left
        out.append(np.pad(cell, ((above, below), (left, right), (0, 0)), constant_values=PAPER))
    return out


def _captioned(cells: list[np.ndarray], captions: Sequence[str]) -> list[np.ndarray]:
    """Cells with their captions in the middle below; wider where a caption is wider than its image."""
    for caption in captions:
        _check_characters(caption)
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), caption, font=_font()) for caption in captions]
    height, width = cells[0].shape[:2]
    full_width = max(width, *(int(box[2]) + 1 for box in boxes))
    full_height = height + max(int(box[3]) for box in boxes) + 2 * CAPTION_MARGIN
    left = (full_width - width) // 2
    out = []
    for cell, caption in zip(cells, captions, strict=True):
        canvas = Image.new("RGB", (full_width, full_height), (PAPER,) * 3)
        canvas.paste(Image.fromarray(cell), (left, 0))
        where = (full_width / 2, height + CAPTION_MARGIN)
        ImageDraw.Draw(canvas).multiline_text(where, caption, INK, _font(), anchor="ma", align="center")
        out.append(np.array(canvas))
    return out


def _check_characters(caption: str) -> None:
    missing = _glyph(NO_CHARACTER)
    for character in caption:
        if character != "\n" and _glyph(character) == missing:
            raise ValueError(f"captions: the font has no {character!r}, in {caption!r}")


@functools.cache
def _glyph(character: str) -> bytes:
    return bytes(_font().getmask(character))


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=CAPTION_SIZE)
