"""Texture lookup in a packed pyramid: `renderer::texture`.

The levels of the pyramid follow one another along the second dimension of `texels`; see `reference.texture` for the
layout and for which view reads which texture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register

_SETTINGS = "int height, int width, int levels, bool nearest, bool repeat"
native.LIBRARY.define(f"texture(Tensor uv, Tensor texels, Tensor lod, {_SETTINGS}) -> (Tensor)")
native.LIBRARY.define(
    f"texture_backward(Tensor grad, Tensor uv, Tensor texels, Tensor lod, {_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)


def _arguments(uv: Tensor, texels: Tensor, lod: Tensor, settings: tuple, *threads: int) -> tuple:
    return (
        *uv.shape[:-1],
        texels.data_ptr(),
        *texels.shape,
        *settings,
        uv.dtype == torch.float64,
        *threads,
        uv.data_ptr(),
        lod.data_ptr(),
    )


def _forward(uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> Tensor:
    uv, texels, lod = native.contiguous(uv, texels, lod)
    out = uv.new_empty(*uv.shape[:-1], texels.shape[-1])
    _C.texture_forward(*_arguments(uv, texels, lod, settings, native.threads()), out.data_ptr())
    return out


def _backward(grad: Tensor, uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> tuple[Tensor, ...]:
    grad, uv, texels, lod = native.contiguous(grad, uv, texels, lod)
    gradients = torch.empty_like(uv), torch.empty_like(texels), torch.empty_like(lod)
    _C.texture_backward(
        *_arguments(uv, texels, lod, settings, native.threads()),
        grad.data_ptr(),
        *(gradient.data_ptr() for gradient in gradients),
    )
    return gradients


def _forward_cuda(uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> Tensor:
    uv, texels, lod = native.contiguous(uv, texels, lod)
    out = uv.new_empty(*uv.shape[:-1], texels.shape[-1])
    cuda.launch("texture_forward", uv.device, *_arguments(uv, texels, lod, settings), out.data_ptr())
    return out


def _backward_cuda(grad: Tensor, uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> tuple[Tensor, ...]:
    grad, uv, texels, lod = native.contiguous(grad, uv, texels, lod)
    grad_uv, grad_texels, grad_lod = torch.empty_like(uv), cuda.Scatter(texels, 4 * uv.numel()), torch.empty_like(lod)
    addresses = (grad.data_ptr(), grad_uv.data_ptr(), *grad_texels.addresses(), grad_lod.data_ptr())
    cuda.launch("texture_backward", uv.device, *_arguments(uv, texels, lod, settings), *addresses)
    return grad_uv, grad_texels.result(), grad_lod


cuda.implement("texture", cpu=_forward, cuda=_forward_cuda)
cuda.implement("texture_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(uv: Tensor, texels: Tensor, lod: Tensor, *settings: Any) -> Tensor:
    return uv.new_empty(*uv.shape[:-1], texels.shape[-1])


register(
    OpSpec("texture", tensors=3, differentiable=(0, 1, 2), batched=(0, 1, 2), outputs=1, saved=()),
    fake=_fake,
)
