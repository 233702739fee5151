"""Hard visibility, the nearest face of every pixel: `renderer::rasterize`."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import native

native.LIBRARY.define(
    "rasterize(Tensor vertices, Tensor faces, int height, int width, bool perspective, bool cull_back_faces) "
    "-> (Tensor, Tensor, Tensor)"
)


def _outputs(vertices: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    shape = (vertices.shape[0], height, width)
    return vertices.new_empty(shape, dtype=torch.int64), vertices.new_empty(*shape, 3), vertices.new_empty(shape)


@torch.library.impl(native.LIBRARY, "rasterize", "CPU")
def _forward(
    vertices: Tensor, faces: Tensor, height: int, width: int, perspective: bool, cull_back_faces: bool
) -> tuple[Tensor, Tensor, Tensor]:
    vertices, faces = native.contiguous(vertices, faces)
    outputs = _outputs(vertices, height, width)
    _C.rasterize(
        *native.screen_arguments(vertices, faces, height, width),
        perspective,
        cull_back_faces,
        native.threads(),
        *(out.data_ptr() for out in outputs),
    )
    return outputs


@torch.library.register_fake("renderer::rasterize", lib=native.LIBRARY)
def _fake(
    vertices: Tensor, faces: Tensor, height: int, width: int, perspective: bool, cull_back_faces: bool
) -> tuple[Tensor, Tensor, Tensor]:
    return _outputs(vertices, height, width)
