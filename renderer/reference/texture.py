"""Texture lookup in a packed pyramid: nearest, bilinear and trilinear."""

from __future__ import annotations

import torch
from torch import Tensor


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """(h, w) of each level of the pyramid: halves, rounded down, at least 1."""
    return [(max(1, height >> level), max(1, width >> level)) for level in range(levels)]


def texture(
    uv: Tensor, texels: Tensor, lod: Tensor, height: int, width: int, levels: int, nearest: bool, repeat: bool
) -> Tensor:
    """(B, H, W, 2), (Bt, texels of all levels, C), (B, H, W) -> (B, H, W, C).

    Bt divides B: view b reads texture b // (B / Bt). `lod` in [0, levels - 1] is not read if there is one level.
    """
    device = uv.device
    sizes = torch.tensor(level_sizes(height, width, levels), device=device)
    starts = (sizes[:, 0] * sizes[:, 1]).cumsum(0) - sizes[:, 0] * sizes[:, 1]
    batch, (textures, count, channels) = uv.shape[0], texels.shape
    owner = (torch.arange(batch, device=device) // (batch // textures)).reshape(-1, 1, 1)
    flat = texels.reshape(textures * count, channels)

    def wrap(index: Tensor, size: Tensor) -> Tensor:
        return index.remainder(size) if repeat else torch.minimum(index.clamp(min=0), size - 1)

    def sample(level: Tensor) -> Tensor:
        h, w = sizes[level].unbind(-1)

        def fetch(ix: Tensor, iy: Tensor) -> Tensor:
            return flat[owner * count + starts[level] + wrap(iy, h) * w + wrap(ix, w)]

        x, y = uv[..., 0] * w, (1 - uv[..., 1]) * h
        if nearest:
            return fetch(x.floor().long(), y.floor().long())
        x, y = x - 0.5, y - 0.5
        ix, iy = x.floor().long(), y.floor().long()
        fx, fy = (x - ix)[..., None], (y - iy)[..., None]
        top = (1 - fx) * fetch(ix, iy) + fx * fetch(ix + 1, iy)
        bottom = (1 - fx) * fetch(ix, iy + 1) + fx * fetch(ix + 1, iy + 1)
        return (1 - fy) * top + fy * bottom

    first = torch.zeros(uv.shape[:-1], dtype=torch.int64, device=device)
    if levels == 1:
        return sample(first)
    first = lod.detach().floor().long().clamp(0, levels - 2)
    between = (lod - first)[..., None]
    return (1 - between) * sample(first) + between * sample(first + 1)
