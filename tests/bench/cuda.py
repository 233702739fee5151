"""Face coverage on a GPU: milliseconds, memory and the share of the roof, against faces and resolution.

`make bench-cuda` writes tests/bench/results/cuda-<device>.json; other renderers run beside this one where they are
installed (tests/bench/peers.py). The roof is the larger of two times: bytes that must
move over the memory's bandwidth (measured by a copy), and operations of the covered (pixel, face) pairs over the
arithmetic rate (measured by a matrix product in float32 without tensor cores).
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from renderer.ops import native
from renderer.ops.face_coverage import covered_pairs
from renderer.raster import soft_silhouette
from renderer.relax import distribution, t_conorm
from renderer.scene import Camera
from renderer.scene.primitives import icosphere
from tests.bench import peers

# Operations of a pair, counted in the source (logistic, probabilistic): geometry 45, distribution and level 40.
FORWARD_OPERATIONS, BACKWARD_OPERATIONS = 85, 230
SETTINGS = ("logistic", False, 1e-6, "probabilistic")
SCALE = 0.5  # pixels
RADIUS = 13.8 * SCALE  # of its support


def milliseconds(run: Callable[[], object], repeats: int = 20) -> float:
    """Median over repeats, by events on the stream."""
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def roofs() -> tuple[float, float]:
    """Bytes and float32 operations a millisecond."""
    block = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    bandwidth = 2 * block.numel() / milliseconds(lambda: other.copy_(block))
    side = 4096
    a = torch.rand(side, side, device="cuda")
    torch.backends.cuda.matmul.allow_tf32 = False
    return bandwidth, 2 * side**3 / milliseconds(lambda: a @ a)


def sphere(faces: int, size: int, views: int) -> tuple[Tensor, Tensor]:
    """A sphere of about so many faces, tiled from an icosphere, seen from around."""
    level = 0
    while 20 * 4 ** (level + 1) <= faces and level < 9:
        level += 1
    mesh = icosphere(level)
    azimuth = torch.arange(views) * (360.0 / views)
    camera = Camera.orbit(3.0, torch.zeros(views), azimuth, image_size=(size, size), fov_y=50.0)
    return camera.project(mesh.vertices.expand(views, -1, -1)).float(), mesh.faces


def measure(faces: int, size: int, views: int, bandwidth: float, rate: float) -> dict[str, float]:
    host_vertices, host_faces = sphere(faces, size, views)
    host_parameters = torch.tensor([SCALE, 0.0, 0.0, 0.0])
    vertices, indices, parameters = (t.cuda() for t in (host_vertices, host_faces, host_parameters))
    ops = torch.ops.renderer
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    value, state, ties = ops.face_coverage(vertices, indices, parameters, size, size, *SETTINGS)
    arguments = (torch.ones_like(value), vertices, indices, parameters, state, ties, size, size, *SETTINGS)
    forward = milliseconds(lambda: ops.face_coverage(vertices, indices, parameters, size, size, *SETTINGS))
    backward = milliseconds(lambda: ops.face_coverage_backward(*arguments))
    memory = torch.cuda.max_memory_allocated() - before
    pairs = covered_pairs(host_vertices, host_faces, host_parameters, size, size, *SETTINGS)
    scene = vertices.nbytes + views * indices.nbytes
    bytes_moved = (scene + 2 * value.nbytes, scene + 2 * value.nbytes + vertices.nbytes)
    operations = (pairs * FORWARD_OPERATIONS, pairs * BACKWARD_OPERATIONS)
    roof = [max(b / bandwidth, o / rate) for b, o in zip(bytes_moved, operations, strict=True)]
    return {
        "faces": len(host_faces),
        "size": size,
        "views": views,
        "pairs": pairs,
        "forward_ms": forward,
        "backward_ms": backward,
        "forward_share_of_roof": roof[0] / forward,
        "backward_share_of_roof": roof[1] / backward,
        "memory_bytes": memory,
    }


def measure_peers(faces: int, size: int, views: int) -> list[dict[str, float | str]]:
    """Forward, and forward and backward, of this renderer's public function and of every other one that is here."""
    host_vertices, host_faces = sphere(faces, size, views)
    vertices, indices = host_vertices.cuda(), host_faces.cuda()
    d, s = distribution("logistic", scale=SCALE), t_conorm("probabilistic")
    runs: dict[str, Callable[[Tensor], Tensor]] = {
        "renderer": lambda v: soft_silhouette(v, indices, (size, size), distribution=d, t_conorm=s),
        **{name: adapter(indices, size, views, RADIUS) for name, adapter in peers.installed().items()},
    }
    rows: list[dict[str, float | str]] = []
    for name, run in runs.items():
        leaf = vertices.clone().requires_grad_()

        def both(run: Callable[[Tensor], Tensor] = run, leaf: Tensor = leaf) -> None:
            leaf.grad = None
            run(leaf).sum().backward()

        with torch.no_grad():
            forward = milliseconds(lambda run=run: run(vertices))
        rows.append(
            {"name": name, "faces": len(host_faces), "size": size, "views": views, "forward_ms": forward}
            | {"both_ms": milliseconds(both)}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000, 5_242_880])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 512, 1024, 2048, 4096])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if not torch.cuda.is_available() or native.CUDA is None:
        sys.exit("bench-cuda: needs a GPU, and renderer built with RENDERER_CUDA=ON")
    name = torch.cuda.get_device_name()
    bandwidth, rate = roofs()
    cases = [(20_480, 512, 24), *((faces, size, 1) for faces in options.faces for size in options.sizes)]
    rows = []
    for case in cases:
        rows.append(measure(*case, bandwidth, rate))
        print(json.dumps(rows[-1]))
    result = {
        "device": name,
        "torch": torch.__version__,
        "bytes_per_ms": bandwidth,
        "operations_per_ms": rate,
        "rows": rows,
        "peers": measure_peers(20_480, 512, 24),
    }
    path = options.out / f"cuda-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
