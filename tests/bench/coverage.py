"""Soft silhouettes through the public function: nanoseconds a covered pair, milliseconds a view, peak memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from renderer.ops.face_coverage import covered_pairs
from renderer.raster import project_mesh, soft_silhouette
from renderer.raster.coverage import support_eps
from renderer.relax import distribution, t_conorm
from renderer.scene import Camera, icosphere

REPEATS = 15
SCALE = 0.5  # pixels; the support of the logistic is 13.8 times that
CASES = [(3, 128), (4, 256), (5, 256), (5, 512)]


def sphere_on_screen(level: int, size: int) -> tuple[Tensor, Tensor]:
    camera = Camera.look_at((0.0, 0.0, 2.7), image_size=(size, size))
    return project_mesh(icosphere(level), camera)


def median_ms(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall milliseconds, after two warm-up runs."""
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        run()
        if i >= 2:
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def forward_and_backward(run: Callable[[Tensor], Tensor], vertices: Tensor) -> tuple[float, float]:
    """Median milliseconds of the forward pass alone, and of forward and backward together."""
    x = vertices.clone().requires_grad_()
    weights = torch.rand_like(run(vertices))

    def both() -> None:
        x.grad = None
        run(x).backward(weights)

    return median_ms(lambda: run(vertices)), median_ms(both)


def face_row(level: int, size: int) -> dict[str, float]:
    vertices, faces = sphere_on_screen(level, size)
    d, s = distribution("logistic", scale=SCALE), t_conorm("probabilistic")
    parameters = torch.tensor([SCALE, 0, 0, 0], dtype=vertices.dtype)
    pairs = covered_pairs(
        vertices, faces, parameters, size, size, d.name, False, support_eps(d, vertices.dtype), s.name
    )
    forward, both = forward_and_backward(
        lambda v: soft_silhouette(v, faces, (size, size), distribution=d, t_conorm=s, coverage="face"), vertices
    )
    return {
        "faces": faces.shape[0],
        "size": size,
        "pairs": pairs,
        "forward_ms": forward,
        "both_ms": both,
        "forward_ns_per_pair": forward * 1e6 / pairs,
        "both_ns_per_pair": both * 1e6 / pairs,
    }


def outline_row(level: int, size: int, views: int) -> dict[str, float]:
    vertices, faces = sphere_on_screen(level, size)
    vertices = vertices.expand(views, -1, -1).contiguous()
    d = distribution("uniform", scale=0.5)
    forward, both = forward_and_backward(
        lambda v: soft_silhouette(v, faces, (size, size), distribution=d, coverage="outline"), vertices
    )
    return {
        "faces": faces.shape[0],
        "size": size,
        "views": views,
        "forward_ms_per_view": forward / views,
        "both_ms_per_view": both / views,
    }


def peak_memory_mib(level: int = 5, size: int = 512) -> float:
    """What forward and backward add to the peak resident set, in a fresh process warmed up on a small image (Linux)."""
    command = [sys.executable, "-m", "tests.bench.coverage", str(level), str(size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _resident_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _measure_memory(level: int, size: int) -> None:
    d, s = distribution("logistic", scale=SCALE), t_conorm("probabilistic")
    forward_and_backward(
        lambda v: soft_silhouette(v, small[1], (32, 32), distribution=d, t_conorm=s),
        (small := sphere_on_screen(1, 32))[0],
    )
    vertices, faces = sphere_on_screen(level, size)
    x = vertices.requires_grad_()
    # Importing peaks higher than any of this, so the high-water mark is reset first.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident_mib("VmRSS")
    soft_silhouette(x, faces, (size, size), distribution=d, t_conorm=s).sum().backward()
    print(_resident_mib("VmHWM") - before)


if __name__ == "__main__":
    _measure_memory(int(sys.argv[1]), int(sys.argv[2]))
