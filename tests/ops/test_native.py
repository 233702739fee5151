"""The C++ formulas against the Python classes, at every SIMD level; rasterize; levels and threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from renderer import _C
from renderer.ops import serial_torch, simd_level, threads
from renderer.raster import rasterize, soft_silhouette
from renderer.relax import DISTRIBUTIONS, distribution, t_conorm

LEVELS = ["base", "v3", "v4"]


def available(level: str) -> bool:
    try:
        return _C.simd_level(level) == level
    except ValueError:
        return False


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
def test_distributions_equal_the_python_classes(name: str, level: str) -> None:
    if not available(level):
        pytest.skip(f"this processor has no {level}")
    cls = DISTRIBUTIONS[name]
    shape, shift = (0.7 if cls.has_shape else None), (0.6 if cls.has_shift else 0.0)
    d = distribution(name, scale=1.0, shape=shape, shift=shift)
    grid = np.concatenate([np.linspace(-12, 12, 401), [-1e4, -50, 50, 1e4], np.linspace(-1.01, 1.01, 83)])
    z = torch.from_numpy(np.resize(grid, 488))
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
        x = z.to(dtype)
        exact = x.double()
        expected = {"cdf": d.cdf(exact), "pdf": d.pdf(exact), "level": -d.log_survival(exact)}
        for function, values in expected.items():
            out = torch.empty_like(x)
            _C.distribution_kernel(
                level, name, function, dtype == torch.float64, len(x), x.data_ptr(), shape or 0.0, shift, out.data_ptr()
            )
            torch.testing.assert_close(out.double(), values, rtol=tolerance * 10, atol=tolerance)


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
@pytest.mark.parametrize("eps", [1e-3, 1e-6, 1e-9])
def test_support_radii_equal_the_python_classes(name: str, eps: float) -> None:
    cls = DISTRIBUTIONS[name]
    d = distribution(name, scale=1.0, shape=1.5 if cls.has_shape else None)
    outer, inner = _C.distribution_support(name, eps, 1.5, 0.0)
    np.testing.assert_allclose([outer, inner], [d.support(eps), d.inner_support(eps)], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_levels_agree(level: str) -> None:
    if not available(level):
        pytest.skip(f"this processor has no {level}")
    code = """
import torch
from renderer.ops import serial_torch, simd_level, threads
from renderer.raster import soft_silhouette
from renderer.relax import distribution, t_conorm
torch.manual_seed(0)
v = torch.cat([torch.rand(1, 40, 2) * 60, torch.ones(1, 40, 1)], -1).requires_grad_()
f = torch.randint(40, (50, 3))
out = soft_silhouette(v, f, (50, 61), distribution=distribution("logistic", scale=0.7),
                      t_conorm=t_conorm("hamacher", 1.5))
soft = soft_silhouette(v, f, (50, 61), distribution=distribution("gaussian", scale=0.7), coverage="outline")
(out.sum() + soft.sum()).backward()
torch.save([simd_level(), out.detach(), soft.detach(), v.grad], __import__("sys").argv[1])
"""
    results = []
    for name in ("base", level):
        path = f"{os.environ.get('TMPDIR', '/tmp')}/renderer_level_{os.getpid()}_{name}.pt"
        subprocess.run([sys.executable, "-c", code, path], check=True, env={**os.environ, "RENDERER_SIMD": name})
        results.append(torch.load(path))
        os.remove(path)
    assert results[1][0] == level
    torch.testing.assert_close(results[0][1:], results[1][1:], atol=1e-4, rtol=1e-4)


def test_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="SIMD level 'v9'"):
        _C.simd_level("v9")
    assert simd_level() in LEVELS


def test_rasterize_sees_the_nearest_face_in_perspective() -> None:
    # A slanted square in front of a far one; depth and barycentrics from the plane itself.
    v = torch.tensor(
        [[[0.0, 0, 1], [16, 0, 1], [16, 16, 4], [0, 16, 4], [0, 0, 2], [16, 0, 2], [16, 16, 2], [0, 16, 2]]],
        dtype=torch.float64,
    )
    f = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    out = rasterize(v, f, (16, 16))
    # 1/z is linear on the screen: z = 2 where 1/z = 1/2.
    rows = 1 / (1 + (torch.arange(16, dtype=torch.float64) + 0.5) / 16 * (1 / 4 - 1))
    torch.testing.assert_close(out.depth[0, :, 3], rows.clamp(max=2))
    assert set(out.face_id[0, 0].tolist()) <= {0, 1}
    assert set(out.face_id[0, 15].tolist()) <= {2, 3}
    torch.testing.assert_close(out.barycentrics.sum(-1), torch.ones(1, 16, 16, dtype=torch.float64))
    depth = (out.barycentrics * v[0, :, 2][f[out.face_id]]).sum(-1)
    torch.testing.assert_close(depth, out.depth)
    flat = rasterize(v, f, (16, 16), perspective=False)
    linear = 1 + 3 * (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    torch.testing.assert_close(flat.depth[0, :, 3], linear.clamp(max=2))


def test_rasterize_background_culling_and_holes() -> None:
    v = torch.tensor([[[1.0, 1, 1], [1, 7, 1], [7, 1, 1], [7, 7, 1]]])
    front, back = torch.tensor([[0, 1, 2], [2, 1, 3]]), torch.tensor([[0, 2, 1], [2, 3, 1]])
    both = rasterize(v, front, (8, 8))
    assert (both.face_id[0, 1:7, 1:7] >= 0).all()
    assert both.face_id[0, 0, 0] == -1
    assert both.depth[0, 0, 0] == 0
    assert torch.equal(rasterize(v, front, (8, 8), cull_back_faces=True).face_id, both.face_id)
    assert (rasterize(v, back, (8, 8), cull_back_faces=True).face_id == -1).all()
    hard = soft_silhouette(
        v, front, (8, 8), distribution=distribution("hard", scale=1.0), t_conorm=t_conorm("max"), coverage="outline"
    )
    assert torch.equal(hard > 0, both.face_id >= 0)
    torch.library.opcheck(torch.ops.renderer.rasterize.default, (v, front, 8, 8, True, False, None))


def test_serial_torch_keeps_the_kernels_threads() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with serial_torch():
            assert (torch.get_num_threads(), threads()) == (1, 3)
            with serial_torch():
                assert threads() == 3
        assert (torch.get_num_threads(), threads()) == (3, 3)
    finally:
        torch.set_num_threads(before)


def test_kernels_work_after_a_fork() -> None:
    # A forked DataLoader worker has no threads of its parent's pool: it does the work itself.
    code = """
import os, torch
from renderer.raster import soft_silhouette
from renderer.relax import distribution
v, f = torch.rand(4, 30, 3) * 40 + 1, torch.arange(30).reshape(-1, 3)
run = lambda: soft_silhouette(v, f, (64, 64), distribution=distribution("uniform", scale=1.0), coverage="outline")
torch.set_num_threads(2)
expected = run()
if (pid := os.fork()) == 0:
    os._exit(0 if torch.equal(run(), expected) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)
