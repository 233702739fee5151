"""Rasterize, barycentrics, interpolate, texture and antialias by the CUDA kernels."""

from __future__ import annotations

import pytest
import torch

from renderer.ops import cuda
from tests.cuda.compare import check_against_reference
from tests.cuda.scenes import SCENES
from tests.ops.test_hard_ops import arguments, test_rasterize_equals_the_reference


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("op", ["barycentrics", "interpolate", "texture", "antialias"])
def test_equals_the_reference(emulated: None, op: str, seed: int, dtype: torch.dtype) -> None:
    check_against_reference(op, arguments(op, seed), dtype)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("perspective", [True, False])
def test_layers_equal_the_reference(emulated: None, perspective: bool, cull: bool) -> None:
    test_rasterize_equals_the_reference(3, perspective, cull)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scene", list(SCENES))
def test_rasterize_equals_the_cpu(emulated: None, scene: str, dtype: torch.dtype) -> None:
    vertices, faces, size = SCENES[scene]
    args = (vertices.to(dtype), faces, *size, True, False, None)
    face_id, depth = torch.ops.renderer.rasterize(*args)
    token = cuda._emulator.set(None)
    expected_id, expected_depth = torch.ops.renderer.rasterize(*args)
    cuda._emulator.reset(token)
    assert torch.equal(face_id, expected_id)
    torch.testing.assert_close(depth, expected_depth)


def test_of_equal_depths_the_first_face_wins(emulated: None) -> None:
    vertices = torch.tensor([[[-9.0, -9, 2], [40, -9, 2], [-9, 40, 2]]])
    faces = torch.tensor([[0, 1, 2]]).repeat(300, 1)
    face_id, _ = torch.ops.renderer.rasterize(vertices, faces, 5, 5, False, False, None)
    assert not face_id.any()


def test_bad_values_are_one_line(emulated: None) -> None:
    uv, *rest = arguments("texture")
    uv[0, 2, 3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"^uv: expected finite coordinates of size at most 1e9, got nan$"):
        torch.ops.renderer.texture(uv, *rest)
    vertices, faces, face_id, depth, perspective = arguments("barycentrics")
    face_id[0, 0, 0] = 80
    with pytest.raises(ValueError, match=r"^fragments: face 80 is not among the 80 faces$"):
        torch.ops.renderer.barycentrics(vertices, faces, face_id, depth, perspective)
    image = torch.rand(*face_id.shape, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"^fragments: face 80 is not among the 80 faces$"):
        torch.ops.renderer.antialias(image, vertices, faces, face_id, depth)


def test_a_row_out_of_range_is_one_line(emulated: None) -> None:
    attributes, faces, face_id, barycentrics = arguments("interpolate")
    faces[face_id.max()] = 99
    with pytest.raises(ValueError, match=r"attribute_faces: face \d+ refers to row 99, but there are 7$"):
        torch.ops.renderer.interpolate(attributes, faces, face_id, barycentrics)
    with pytest.raises(ValueError, match=r"fragments: face 1000 is not among the 80 faces$"):
        torch.ops.renderer.interpolate(attributes, faces, torch.full_like(face_id, 1000), barycentrics)
