"""Where on its face each pixel lies: `renderer::barycentrics`.

Takes the faces and depths that `renderer::rasterize` found. The depth is handed through, so that a layer and the next
one behind it are told apart exactly; what the op adds is its derivative.
"""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.native_function import OpSpec, register

native.LIBRARY.define(
    "barycentrics(Tensor vertices, Tensor faces, Tensor face_id, Tensor depth, bool perspective) -> (Tensor, Tensor)"
)
native.LIBRARY.define(
    "barycentrics_backward(Tensor grad_barycentrics, Tensor grad_depth, Tensor vertices, Tensor faces, Tensor face_id, "
    "Tensor depth, bool perspective) -> (Tensor)"
)


def _forward(
    vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor, perspective: bool
) -> tuple[Tensor, Tensor]:
    vertices, faces, face_id = native.contiguous(vertices, faces, face_id)
    barycentrics = vertices.new_empty(*face_id.shape, 3)
    _C.barycentrics_forward(
        *native.screen_arguments(vertices, faces, *face_id.shape[1:]),
        perspective,
        native.threads(),
        face_id.data_ptr(),
        barycentrics.data_ptr(),
    )
    return barycentrics, depth.clone(memory_format=torch.contiguous_format)


def _backward(
    grad_barycentrics: Tensor,
    grad_depth: Tensor,
    vertices: Tensor,
    faces: Tensor,
    face_id: Tensor,
    depth: Tensor,
    perspective: bool,
) -> Tensor:
    grad_barycentrics, grad_depth, vertices, faces, face_id = native.contiguous(
        grad_barycentrics, grad_depth, vertices, faces, face_id
    )
    grad_vertices = torch.empty_like(vertices)
    _C.barycentrics_backward(
        *native.screen_arguments(vertices, faces, *face_id.shape[1:]),
        perspective,
        native.threads(),
        face_id.data_ptr(),
        grad_barycentrics.data_ptr(),
        grad_depth.data_ptr(),
        grad_vertices.data_ptr(),
    )
    return grad_vertices


def _forward_cuda(
    vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor, perspective: bool
) -> tuple[Tensor, Tensor]:
    vertices, faces, face_id = native.contiguous(vertices, faces, face_id)
    barycentrics = vertices.new_empty(*face_id.shape, 3)
    cuda.launch(
        "barycentrics_forward",
        vertices.device,
        *native.screen_arguments(vertices, faces, *face_id.shape[1:]),
        perspective,
        face_id.data_ptr(),
        barycentrics.data_ptr(),
    )
    return barycentrics, depth.clone(memory_format=torch.contiguous_format)


def _backward_cuda(
    grad_barycentrics: Tensor,
    grad_depth: Tensor,
    vertices: Tensor,
    faces: Tensor,
    face_id: Tensor,
    depth: Tensor,
    perspective: bool,
) -> Tensor:
    grad_barycentrics, grad_depth, vertices, faces, face_id = native.contiguous(
        grad_barycentrics, grad_depth, vertices, faces, face_id
    )
    grad_vertices = cuda.Scatter(vertices, 3 * face_id.numel())
    cuda.launch(
        "barycentrics_backward",
        vertices.device,
        *native.screen_arguments(vertices, faces, *face_id.shape[1:]),
        perspective,
        *(t.data_ptr() for t in (face_id, grad_barycentrics, grad_depth)),
        *grad_vertices.addresses(),
    )
    return grad_vertices.result()


cuda.implement("barycentrics", cpu=_forward, cuda=_forward_cuda)
cuda.implement("barycentrics_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor, perspective: bool) -> tuple[Tensor, Tensor]:
    return vertices.new_empty(*face_id.shape, 3), depth.new_empty(depth.shape)


register(
    OpSpec("barycentrics", tensors=4, differentiable=(0,), batched=(0, 2, 3), outputs=2, saved=()),
    fake=_fake,
)
