"""Hard rendering, forward and backward, against DEODR's shaded render of the same, in one run.

DEODR (https://pypi.org/project/DEODR) is optional: `pip install deodr`. It shades at the vertices and interpolates
the colours linearly on the screen; "vertices" does the same work here, perspective-correct; "pixels" is `HardRenderer`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from renderer import Camera, HardRenderer, Lights, Mesh
from renderer.raster import antialias, interpolate, rasterize
from renderer.scene import AmbientLight, DirectionalLight, icosphere
from renderer.shading import lambert
from tests.bench import environment

CASES = ((4, 256), (5, 512), (6, 512))  # icosphere level, pixels
TO_LIGHT, AMBIENT, DIRECTIONAL = (0.3, 0.5, 0.8), 0.3, 0.7
FOV_Y, DISTANCE = 40.0, 3.2
ROUNDS = 15
RESULTS = Path(__file__).parent / "results"


def scene(level: int, size: int) -> tuple[Mesh, Camera, Lights]:
    """A bumpy sphere with coloured vertices, so that no two faces are alike."""
    ball = icosphere(level)
    bumps = 1 + 0.05 * torch.sin(7 * ball.vertices).prod(-1, keepdim=True)
    colours = 0.5 + 0.4 * ball.vertices
    mesh = ball.with_vertices(ball.vertices * bumps).with_appearance(vertex_colours=colours)
    camera = Camera.look_at((0.0, 0.0, DISTANCE), image_size=(size, size), fov_y=FOV_Y)
    return mesh, camera, Lights(AmbientLight(AMBIENT), DirectionalLight(TO_LIGHT, colour=DIRECTIONAL))


def by_pixel(mesh: Mesh, camera: Camera, lights: Lights) -> Callable[[Tensor], Tensor]:
    renderer = HardRenderer(cull_back_faces=True)
    return lambda vertices: renderer(mesh.with_vertices(vertices), camera, lights)


def by_vertex(mesh: Mesh, camera: Camera, lights: Lights) -> Callable[[Tensor], Tensor]:
    def render(vertices: Tensor) -> Tensor:
        moved = mesh.with_vertices(vertices)
        assert mesh.vertex_colours is not None
        colours = mesh.vertex_colours * lambert(moved.vertex_normals, vertices, lights)
        screen = camera.project(vertices)
        fragments = rasterize(screen, mesh.faces, camera.image_size, cull_back_faces=True)
        return antialias(interpolate(colours[None], fragments, mesh.faces), fragments, screen, mesh.faces)

    return render


def ours(make: Callable, level: int, size: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    mesh, camera, lights = scene(level, size)
    render = make(mesh, camera, lights)
    with torch.no_grad():
        weight = torch.rand_like(render(mesh.vertices))

    def forward() -> Tensor:
        with torch.no_grad():
            return render(mesh.vertices)

    def both() -> Tensor:
        vertices = mesh.vertices.clone().requires_grad_()
        return torch.autograd.grad(render(vertices), vertices, weight)[0]

    return forward, both


def deodr(level: int, size: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import deodr as peer

    mesh, camera, _ = scene(level, size)
    faces, vertices = mesh.faces.numpy(), mesh.vertices.double().numpy()
    assert mesh.vertex_colours is not None
    drawn = peer.ColoredTriMesh(faces, vertices, colors=mesh.vertex_colours.double().numpy())
    stage = peer.Scene3D(sigma=1.0, integer_pixel_centers=False)
    stage.set_mesh(drawn)
    direction = np.asarray(TO_LIGHT) / np.linalg.norm(TO_LIGHT)
    stage.set_light(light_directional=-DIRECTIONAL * direction, light_ambient=AMBIENT)
    stage.set_background_color([0.0, 0.0, 0.0])
    matrices = camera.world_to_camera.double().numpy()[:3], camera.K.double().numpy()
    view = peer.Camera(extrinsic=matrices[0], intrinsic=matrices[1], height=size, width=size)
    weight = np.random.default_rng(0).random((size, size, 3))

    def forward() -> np.ndarray:
        drawn.set_vertices(vertices)
        return stage.render(view)

    def both() -> np.ndarray:
        forward()
        stage.clear_gradients()
        stage.render_backward(weight)
        return drawn._vertices_b

    return forward, both


def milliseconds(calls: list[Callable[[], Any]]) -> list[float]:
    """Median wall time of each, taken in turns so that a busy moment meets all of them."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, seen in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            seen.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(seen) for seen in times]


def rows() -> list[dict[str, Any]]:
    """Forward, and forward with backward, of every case, in ms."""
    try:
        import deodr as peer

        peers: dict[str, Callable] = {f"DEODR {peer.__version__}": deodr}
    except ModuleNotFoundError:
        peers = {}
    makers: dict[str, Callable] = {
        "ours, lit at vertices": lambda *case: ours(by_vertex, *case),
        "ours, lit at pixels": lambda *case: ours(by_pixel, *case),
        **peers,
    }
    out = []
    for level, size in CASES:
        calls = [call for make in makers.values() for call in make(level, size)]
        times = milliseconds(calls)
        for i, name in enumerate(makers):
            row = {"faces": 20 * 4**level, "size": size, "renderer": name}
            out.append(row | {"forward_ms": times[2 * i], "both_ms": times[2 * i + 1]})
    return out


def main() -> None:
    from tests.bench.run import table

    result = {"environment": environment.describe(), "hard": rows()}
    print(table(result["hard"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "hard.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
