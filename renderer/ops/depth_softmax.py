"""Colour by a softmax over depth: `renderer::depth_softmax`.

Beside the colour without its background, and the background's weight, the op keeps the largest nearness and the sum of
weights of every pixel. `layouts` holds six numbers a texture: first texel, height, width, levels, nearest, repeat. If
it is empty, none of the five tensors that belong to textures is read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.coverage_call import coverage_arguments, cuda_arguments, new_plan
from renderer.ops.native_function import OpSpec, register

_SETTINGS = (
    "int height, int width, str distribution, bool squared, float support_eps, float eps, float near, float far, "
    "bool perspective, int[] layouts"
)
_TENSORS = (
    "Tensor vertices, Tensor faces, Tensor attributes, Tensor attribute_faces, Tensor parameters, "
    "Tensor uv, Tensor uv_faces, Tensor slopes, Tensor texels, Tensor face_texture"
)
_COUNT = 10  # tensors
native.LIBRARY.define(f"depth_softmax({_TENSORS}, {_SETTINGS}) -> (Tensor, Tensor, Tensor, Tensor)")
native.LIBRARY.define(
    f"depth_softmax_backward(Tensor grad_colour, Tensor grad_background, {_TENSORS}, Tensor colour, Tensor background, "
    f"Tensor nearest, Tensor sum, {_SETTINGS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _arguments(tensors: tuple[Tensor, ...], settings: tuple) -> tuple:
    vertices, faces, attributes, attribute_faces, parameters, uv, uv_faces, slopes, texels, face_texture = tensors
    height, width, distribution, squared, support_eps, eps, near, far, perspective, layouts = settings
    return (
        *coverage_arguments(vertices, faces, parameters, height, width, distribution, squared, support_eps),
        *(attributes.data_ptr(), attribute_faces.data_ptr(), attributes.shape[1], attributes.shape[2]),
        *(eps, near, far, perspective),
        *(uv.data_ptr(), uv_faces.data_ptr(), uv.shape[1], slopes.data_ptr(), texels.data_ptr(), *texels.shape),
        *(face_texture.data_ptr(), list(layouts)),
    )


def _outputs(vertices: Tensor, attributes: Tensor, height: int, width: int) -> tuple[Tensor, ...]:
    shape = (vertices.shape[0], height, width)
    return vertices.new_empty(*shape, attributes.shape[2]), *(vertices.new_empty(shape) for _ in range(3))


def _forward(*args: Any) -> tuple[Tensor, ...]:
    tensors, settings = native.contiguous(*args[:_COUNT]), args[_COUNT:]
    outputs = _outputs(tensors[0], tensors[2], settings[0], settings[1])
    _C.depth_softmax_forward(*_arguments(tensors, settings), *(out.data_ptr() for out in outputs))
    return outputs


def _backward(*args: Any) -> tuple[Tensor, ...]:
    first_saved = 2 + _COUNT
    grads, tensors = native.contiguous(*args[:2]), native.contiguous(*args[2:first_saved])
    saved = native.contiguous(*args[first_saved : first_saved + 4])
    vertices, _, attributes, _, _, uv, _, slopes, texels, _ = tensors
    parameters = vertices.new_empty(vertices.shape[0], 4)
    results = (*map(torch.empty_like, (vertices, attributes)), parameters, *map(torch.empty_like, (uv, slopes, texels)))
    addresses = (t.data_ptr() for t in (*saved, *grads, *results))
    _C.depth_softmax_backward(*_arguments(tensors, args[first_saved + 4 :]), *addresses)
    return results


@lru_cache(maxsize=64)
def _layouts_on(device: torch.device, layouts: tuple[int, ...]) -> Tensor:
    """Kept, so that only the first call with a set of textures copies them."""
    return torch.tensor(layouts, dtype=torch.int64, device=device)


def _cuda_arguments(tensors: tuple[Tensor, ...], settings: tuple, plan: Tensor) -> tuple[tuple, cuda.Bins]:
    vertices, faces, attributes, attribute_faces, parameters, uv, uv_faces, slopes, texels, face_texture = tensors
    height, width, distribution, squared, support_eps, eps, near, far, perspective, layouts = settings
    views, count = vertices.shape[0], faces.shape[0]
    bins = cuda.Bins("depth_softmax", vertices.device, views, count, cuda.tiles(height, width))
    return (
        *cuda_arguments(vertices, faces, parameters, height, width, distribution, squared, support_eps),
        plan.data_ptr(),
        *(attributes.data_ptr(), attribute_faces.data_ptr(), attributes.shape[1], attributes.shape[2]),
        *(eps, near, far, perspective),
        *(uv.data_ptr(), uv_faces.data_ptr(), uv.shape[1], slopes.data_ptr(), texels.data_ptr(), *texels.shape),
        *(face_texture.data_ptr(), _layouts_on(vertices.device, tuple(layouts)).data_ptr(), len(layouts) // 6),
        *bins.arguments(),
    ), bins


def _forward_cuda(*args: Any) -> tuple[Tensor, ...]:
    tensors, settings = native.contiguous(*args[:_COUNT]), args[_COUNT:]
    vertices = tensors[0]
    outputs, plan = _outputs(vertices, tensors[2], settings[0], settings[1]), new_plan(vertices)
    arguments, _bins = _cuda_arguments(tensors, settings, plan)
    cuda.launch("depth_softmax_forward", vertices.device, *arguments, *(out.data_ptr() for out in outputs))
    return outputs


def _backward_cuda(*args: Any) -> tuple[Tensor, ...]:
    first_saved = 2 + _COUNT
    grads, tensors = native.contiguous(*args[:2]), native.contiguous(*args[2:first_saved])
    saved, settings = native.contiguous(*args[first_saved : first_saved + 4]), args[first_saved + 4 :]
    vertices, faces, attributes, _, _, uv, _, slopes, texels, _ = tensors
    if cuda.deterministic() and settings[-1]:
        raise RuntimeError(
            "depth_softmax with textures has no deterministic gradient on CUDA: "
            "turn torch.use_deterministic_algorithms off, or move the tensors to the CPU"
        )
    views, count = vertices.shape[0], faces.shape[0]
    grad_vertices = cuda.Scatter(vertices, 3 * views * count)
    grad_attributes = cuda.Scatter(attributes, 3 * views * count)
    of_textures = [torch.zeros_like(t) for t in (uv, slopes, texels)]
    parts = cuda.tiles(settings[0], settings[1]) + (count if cuda.deterministic() else 0)
    parameter_parts = torch.empty(views, parts, 4, dtype=torch.float64, device=vertices.device)
    plan = new_plan(vertices)
    arguments, _bins = _cuda_arguments(tensors, settings, plan)
    cuda.launch(
        "depth_softmax_backward",
        vertices.device,
        *arguments,
        *(t.data_ptr() for t in (*saved, *grads)),
        *grad_vertices.addresses(),
        *grad_attributes.addresses(),
        *(t.data_ptr() for t in (*of_textures, parameter_parts)),
    )
    grad_parameters = parameter_parts.sum(1).to(vertices.dtype)
    return grad_vertices.result(), grad_attributes.result(), grad_parameters, *of_textures


cuda.implement("depth_softmax", cpu=_forward, cuda=_forward_cuda)
cuda.implement("depth_softmax_backward", cpu=_backward, cuda=_backward_cuda)


def _fake(vertices: Tensor, faces: Tensor, attributes: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    height, width = rest[_COUNT - 3 : _COUNT - 1]
    return _outputs(vertices, attributes, height, width)


register(
    OpSpec(
        "depth_softmax",
        tensors=_COUNT,
        differentiable=(0, 2, 4, 5, 7, 8),
        batched=(0, 2, 5, 7, 8),
        outputs=2,
        saved=(0, 1, 2, 3),
    ),
    fake=_fake,
)
