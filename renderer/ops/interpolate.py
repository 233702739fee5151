"""Attributes at the corners of a pixel's face, weighted by barycentrics: `renderer::interpolate`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register

native.LIBRARY.define(
    "interpolate(Tensor attributes, Tensor attribute_faces, Tensor face_id, Tensor barycentrics) -> (Tensor)"
)
native.LIBRARY.define(
    "interpolate_backward(Tensor grad, Tensor attributes, Tensor attribute_faces, Tensor face_id, Tensor barycentrics) "
    "-> (Tensor, Tensor)"
)


def _arguments(tensors: Sequence[Tensor], *threads: int) -> tuple:
    attributes, attribute_faces, face_id, barycentrics = tensors
    _, count, channels = attributes.shape
    return (
        *face_id.shape,
        attributes.data_ptr(),
        attribute_faces.data_ptr(),
        count,
        attribute_faces.shape[0],
        channels,
        attributes.dtype == torch.float64,
        *threads,
        face_id.data_ptr(),
        barycentrics.data_ptr(),
    )


def _forward(attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor) -> Tensor:
    tensors = native.contiguous(attributes, attribute_faces, face_id, barycentrics)
    out = attributes.new_empty(*face_id.shape, attributes.shape[-1])
    _C.interpolate_forward(*_arguments(tensors, native.threads()), out.data_ptr())
    return out


def _backward(
    grad: Tensor, attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor
) -> tuple[Tensor, Tensor]:
    grad, *tensors = native.contiguous(grad, attributes, attribute_faces, face_id, barycentrics)
    grad_attributes = attributes.new_empty(attributes.shape)
    grad_barycentrics = barycentrics.new_empty(barycentrics.shape)
    _C.interpolate_backward(
        *_arguments(tensors, native.threads()),
        grad.data_ptr(),
        grad_attributes.data_ptr(),
        grad_barycentrics.data_ptr(),
    )
    return grad_attributes, grad_barycentrics


def _forward_cuda(attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor) -> Tensor:
    tensors = native.contiguous(attributes, attribute_faces, face_id, barycentrics)
    out = attributes.new_empty(*face_id.shape, attributes.shape[-1])
    cuda.launch("interpolate_forward", attributes.device, *_arguments(tensors), out.data_ptr())
    return out


def _backward_cuda(
    grad: Tensor, attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor
) -> tuple[Tensor, Tensor]:
    grad, *tensors = native.contiguous(grad, attributes, attribute_faces, face_id, barycentrics)
    grad_attributes = cuda.Scatter(attributes, 3 * face_id.numel())
    grad_barycentrics = barycentrics.new_empty(barycentrics.shape)
    results = (*grad_attributes.addresses(), grad_barycentrics.data_ptr())
    cuda.launch("interpolate_backward", attributes.device, *_arguments(tensors), grad.data_ptr(), *results)
    return grad_attributes.result(), grad_barycentrics


cuda.implement("interpolate", cpu=_forward, cuda=_forward_cuda)
cuda.implement("interpolate_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(attributes: Tensor, attribute_faces: Tensor, face_id: Tensor, barycentrics: Tensor) -> Tensor:
    return attributes.new_empty(*face_id.shape, attributes.shape[-1])


register(
    OpSpec("interpolate", tensors=4, differentiable=(0, 3), batched=(0, 2, 3), outputs=1, saved=()),
    fake=_fake,
)
