"""Hard visibility, the nearest face of every pixel: `renderer::rasterize`. Not differentiable: see `barycentrics`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native
from renderer.ops.vmap import fold_into_batch

native.LIBRARY.define(
    "rasterize(Tensor vertices, Tensor faces, int height, int width, bool perspective, bool cull_back_faces, "
    "Tensor? behind) -> (Tensor, Tensor)"
)


def _outputs(vertices: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    shape = (vertices.shape[0], height, width)
    return vertices.new_empty(shape, dtype=torch.int64), vertices.new_empty(shape)


def _forward(
    vertices: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    perspective: bool,
    cull_back_faces: bool,
    behind: Tensor | None,
) -> tuple[Tensor, Tensor]:
    vertices, faces = native.contiguous(vertices, faces)
    behind = None if behind is None else behind.contiguous()
    outputs = _outputs(vertices, height, width)
    _C.rasterize(
        *native.screen_arguments(vertices, faces, height, width),
        perspective,
        cull_back_faces,
        native.threads(),
        native.SIMD_LEVEL,
        0 if behind is None else behind.data_ptr(),
        *(out.data_ptr() for out in outputs),
    )
    return outputs


def _forward_cuda(
    vertices: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    perspective: bool,
    cull_back_faces: bool,
    behind: Tensor | None,
) -> tuple[Tensor, Tensor]:
    vertices, faces = native.contiguous(vertices, faces)
    behind = None if behind is None else behind.contiguous()
    outputs = _outputs(vertices, height, width)
    views, count = vertices.shape[0], faces.shape[0]
    bins = cuda.Bins("rasterize", vertices.device, views, count, cuda.tiles(height, width))
    cuda.launch(
        "rasterize",
        vertices.device,
        *native.screen_arguments(vertices, faces, height, width),
        perspective,
        cull_back_faces,
        *bins.arguments(),
        0 if behind is None else behind.data_ptr(),
        *(out.data_ptr() for out in outputs),
    )
    return outputs


cuda.implement("rasterize", cpu=_forward, cuda=_forward_cuda)


@torch.library.register_fake("renderer::rasterize", lib=native.LIBRARY)
def _fake(vertices: Tensor, faces: Tensor, height: int, width: int, *settings: Any) -> tuple[Tensor, Tensor]:
    return _outputs(vertices, height, width)


@torch.library.register_vmap("renderer::rasterize", lib=native.LIBRARY)
def _vmap(info: Any, in_dims: tuple, *args: Any) -> tuple:
    foldable = [0] if args[-1] is None else [0, len(args) - 1]
    return fold_into_batch(torch.ops.renderer.rasterize, foldable, info, in_dims, args)
