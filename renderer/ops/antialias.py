"""Blending across silhouette edges between neighbouring pixels: `renderer::antialias`.

Beside the image the op keeps the half-edge at which each pair of neighbours is blended.
"""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.edges import sorted_edges
from renderer.ops.native_function import OpSpec, register

native.LIBRARY.define(
    "antialias(Tensor image, Tensor vertices, Tensor faces, Tensor face_id, Tensor depth) -> (Tensor, Tensor)"
)
native.LIBRARY.define(
    "antialias_backward(Tensor grad, Tensor image, Tensor vertices, Tensor faces, Tensor face_id, Tensor depth, "
    "Tensor crossings) -> (Tensor, Tensor)"
)


def _outputs(image: Tensor) -> tuple[Tensor, Tensor]:
    return image.new_empty(image.shape), image.new_empty(*image.shape[:-1], 2, dtype=torch.int32)


def _forward(image: Tensor, vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    image, vertices, faces, face_id, depth = native.contiguous(image, vertices, faces, face_id, depth)
    out, crossings = _outputs(image)
    _C.antialias_forward(
        *native.screen_arguments(vertices, faces, *image.shape[1:3]),
        native.threads(),
        face_id.data_ptr(),
        depth.data_ptr(),
        image.data_ptr(),
        image.shape[-1],
        crossings.data_ptr(),
        out.data_ptr(),
    )
    return out, crossings


def _backward(
    grad: Tensor,
    image: Tensor,
    vertices: Tensor,
    faces: Tensor,
    face_id: Tensor,
    depth: Tensor,
    crossings: Tensor,
) -> tuple[Tensor, Tensor]:
    grad, image, vertices, faces, crossings = native.contiguous(grad, image, vertices, faces, crossings)
    grad_image, grad_vertices = torch.empty_like(image), torch.empty_like(vertices)
    _C.antialias_backward(
        *native.screen_arguments(vertices, faces, *image.shape[1:3]),
        native.threads(),
        image.data_ptr(),
        image.shape[-1],
        crossings.data_ptr(),
        grad.data_ptr(),
        grad_image.data_ptr(),
        grad_vertices.data_ptr(),
    )
    return grad_image, grad_vertices


def _forward_cuda(
    image: Tensor, vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor
) -> tuple[Tensor, Tensor]:
    image, vertices, faces, face_id, depth = native.contiguous(image, vertices, faces, face_id, depth)
    out, crossings = _outputs(image)
    key, order = sorted_edges(faces, vertices.shape[1])
    following = torch.empty(key.shape, dtype=torch.int32, device=key.device)
    cuda.launch(
        "antialias_forward",
        image.device,
        *native.screen_arguments(vertices, faces, *image.shape[1:3]),
        *(t.data_ptr() for t in (key, order, following, face_id, depth, image)),
        image.shape[-1],
        crossings.data_ptr(),
        out.data_ptr(),
    )
    return out, crossings


def _backward_cuda(
    grad: Tensor,
    image: Tensor,
    vertices: Tensor,
    faces: Tensor,
    face_id: Tensor,
    depth: Tensor,
    crossings: Tensor,
) -> tuple[Tensor, Tensor]:
    grad, image, vertices, faces, crossings = native.contiguous(grad, image, vertices, faces, crossings)
    grad_image, grad_vertices = torch.empty_like(image), cuda.Scatter(vertices, 4 * face_id.numel())
    cuda.launch(
        "antialias_backward",
        image.device,
        *native.screen_arguments(vertices, faces, *image.shape[1:3]),
        image.data_ptr(),
        image.shape[-1],
        *(t.data_ptr() for t in (crossings, grad, grad_image)),
        *grad_vertices.addresses(),
    )
    return grad_image, grad_vertices.result()


cuda.implement("antialias", cpu=_forward, cuda=_forward_cuda)
cuda.implement("antialias_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(image: Tensor, vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    return _outputs(image)


register(
    OpSpec("antialias", tensors=5, differentiable=(0, 1), batched=(0, 1, 3, 4), outputs=1, saved=(1,)),
    fake=_fake,
)
