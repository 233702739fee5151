"""1e5 faces in one tile: against the reference where that has room, and against the CPU kernels on the whole tile."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
import torch

from renderer.ops import cuda
from renderer.ops.native_function import call
from tests.cuda.compare import TOLERANCE, check_close, convert, run
from tests.cuda.scenes import P, crowd, parameters
from tests.ops.test_soft_render import no_textures

EPS = {torch.float32: 1e-6, torch.float64: 1e-12}


def arguments(op: str, size: tuple[int, int], dtype: torch.dtype, t_conorm: str) -> tuple:
    vertices, faces = crowd()
    settings = (*size, "logistic", False, EPS[dtype])
    if op == "face_coverage":
        return vertices, faces, parameters("logistic", P.get(t_conorm, 0.0), scale=0.7), *settings, t_conorm
    attributes = torch.rand(1, vertices.shape[1], 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tensors = (vertices, faces, attributes, faces, parameters("logistic", 0.2, scale=0.7), *no_textures(vertices))
    return *tensors, *settings, 1e-3, 0.5, 4.0, True, []


def check(op: str, args: tuple, dtype: torch.dtype, exactly: Callable) -> None:
    given = convert(args, dtype)
    with cuda.emulated():
        ours = run(lambda *a: call(op, *a), op, given)
    exact = run(exactly, op, convert(given, torch.float64))
    assert 0 < exact[0][0].min() < exact[0][0].max() / 2  # neither nothing nor everything is covered
    check_close(ours[0] + ours[1], exact[0] + exact[1], TOLERANCE[dtype], least=0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("op", "t_conorm"), [("face_coverage", "probabilistic"), ("depth_softmax", "")])
def test_equals_the_reference(op: str, t_conorm: str, dtype: torch.dtype) -> None:
    check(op, arguments(op, (2, 4), dtype, t_conorm), dtype, getattr(import_module(f"renderer.reference.{op}"), op))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("op", "t_conorm"), [("face_coverage", "yager"), ("depth_softmax", "")])
def test_equals_the_cpu(op: str, t_conorm: str, dtype: torch.dtype) -> None:
    check(op, arguments(op, (16, 16), dtype, t_conorm), dtype, lambda *a: call(op, *a))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rasterize_equals_the_cpu(dtype: torch.dtype) -> None:
    vertices, faces = crowd()
    args = (vertices.to(dtype), faces, 16, 16, True, False, None)
    with cuda.emulated():
        face_id, depth = torch.ops.renderer.rasterize(*args)
    expected_id, expected_depth = torch.ops.renderer.rasterize(*args)
    assert (expected_id >= 0).sum() > 20
    assert torch.equal(face_id, expected_id)
    torch.testing.assert_close(depth, expected_depth)
