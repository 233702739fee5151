"""1e5 faces in one tile: against the reference where that has room, and against the CPU kernels on the whole tile."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from torch import Tensor

from renderer.ops import cuda
from renderer.ops.native_function import call
from tests.cuda.compare import TOLERANCE, convert, run
from tests.cuda.scenes import P, parameters
from tests.ops.test_soft_render import no_textures

COUNT = 100_000
EPS = {torch.float32: 1e-6, torch.float64: 1e-12}


def crowd() -> tuple[Tensor, Tensor]:
    """A bumpy grid of triangles in a corner, each there many times: far pixels see little of it, near ones all."""
    side = 20
    generator = torch.Generator().manual_seed(0)
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    xyz = torch.stack([column, row, torch.ones(side, side)], -1).double() * torch.tensor([0.4, 0.4, 2.0])
    xyz += torch.tensor([7.0, 7.0, 0.0]) + 0.3 * torch.rand(side, side, 3, generator=generator, dtype=torch.float64)
    corner = (row * side + column)[:-1, :-1].flatten()
    faces = torch.cat([corner[:, None] + torch.tensor(k) for k in ([0, side, 1], [1, side, side + 1])])
    order = torch.randint(len(faces), (COUNT,), generator=generator)
    return xyz.reshape(1, -1, 3), faces[order]


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
    for mine, expected in zip(ours[0] + ours[1], exact[0] + exact[1], strict=True):
        size = float(expected.abs().max()) if expected.numel() else 0.0  # there is no texture
        torch.testing.assert_close(mine, expected, rtol=0, atol=TOLERANCE[dtype] * size)


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
