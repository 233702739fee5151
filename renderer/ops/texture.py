"""Texture lookup in a packed pyramid: `renderer::texture`.

The levels of the pyramid follow one another along the second dimension of `texels`; see `reference.texture` for the
layout and for which view reads which texture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native
from renderer.ops.native_function import OpSpec, register

_SETTINGS = "int height, int width, int levels, bool nearest, bool repeat"
native.LIBRARY.define(f"texture(Tensor uv, Tensor texels, Tensor lod, {_SETTINGS}) -> (Tensor)")
native.LIBRARY.define(
    f"texture_backward(Tensor grad, Tensor uv, Tensor texels, Tensor lod, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)


def _arguments(uv: Tensor, texels: Tensor, lod: Tensor, settings: tuple) -> tuple:
    return (
        *uv.shape[:-1],
        texels.data_ptr(),
        *texels.shape,
        *settings,
        uv.dtype == torch.float64,
        native.threads(),
        uv.data_ptr(),
        lod.data_ptr(),
    )


@torch.library.impl(native.LIBRARY, "texture", "CPU")
def _forward(uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> Tensor:
    uv, texels, lod = native.contiguous(uv, texels, lod)
    out = uv.new_empty(*uv.shape[:-1], texels.shape[-1])
    _C.texture_forward(*_arguments(uv, texels, lod, settings), out.data_ptr())
    return out


@torch.library.impl(native.LIBRARY, "texture_backward", "CPU")
def _backward(grad: Tensor, uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> tuple[Tensor, ...]:
    grad, uv, texels, lod = native.contiguous(grad, uv, texels, lod)
    gradients = torch.empty_like(uv), torch.empty_like(texels), torch.empty_like(lod)
    _C.texture_backward(
        *_arguments(uv, texels, lod, settings), grad.data_ptr(), *(gradient.data_ptr() for gradient in gradients)
    )
    return gradients


def _fake(uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> Tensor:
    return uv.new_empty(*uv.shape[:-1], texels.shape[-1])


register(
    OpSpec("texture", tensors=3, differentiable=(0, 1, 2), batched=(0, 1, 2), outputs=1, saved=()),
    fake=_fake,
)
