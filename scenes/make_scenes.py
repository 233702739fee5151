"""Make the scenes of this folder from signed distances: meshes, RGBA views and cameras.

Run `python scenes/make_scenes.py` (all scenes) or `python scenes/make_scenes.py creature`. The result is deterministic.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import objects
from albedo import Albedo, plain, speckled
from numpy.typing import NDArray
from polygonise import fit, make_mesh, thinnest
from signed_distance import Array, Solid
from trimesh.exchange.ply import export_ply
from views import CAMERA_ANGLE_X, camera_to_world, pixels_per_unit, render, view_directions


class Scene(NamedTuple):
    """One object: its solid, the number of marching-cubes cells along its box, its albedo (linear RGB) and genus."""

    solid: Solid
    cells: int
    albedo: Albedo
    genus: int


SCENES = {
    "creature": Scene(objects.creature, 118, plain(0.80, 0.62, 0.48), 0),
    "teapot": Scene(objects.teapot, 110, plain(0.45, 0.60, 0.66), 1),
    "plant": Scene(objects.plant, 116, plain(0.50, 0.64, 0.42), 0),
    "pumice": Scene(objects.pumice, 60, speckled((0.22, 0.17, 0.14), (0.86, 0.80, 0.70)), 0),
}


@cache
def fitted(name: str) -> Solid:
    """The named object in its place (once per process)."""
    return fit(SCENES[name].solid)


def render_view(name: str, pose: Array) -> NDArray[np.uint8]:
    """One RGBA view of the named object."""
    return render(fitted(name), pose, SCENES[name].albedo)


def make_scene(name: str, out: Path, pool: Executor) -> None:
    """Write one scene: mesh.ply, transforms_train.json, transforms_test.json and the images they name."""
    scene = SCENES[name]
    began = time.perf_counter()
    mesh = make_mesh(fitted(name), scene.cells)
    if not mesh.is_watertight or mesh.body_count != 1 or mesh.euler_number != 2 - 2 * scene.genus:
        raise SystemExit(
            f"{name}: expected one closed surface of genus {scene.genus}, got {mesh.body_count} bodies, "
            f"Euler number {mesh.euler_number}, watertight {mesh.is_watertight}"
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "mesh.ply").write_bytes(export_ply(mesh, vertex_normal=False))
    for split, directions in zip(("train", "test"), view_directions(), strict=True):
        (out / split).mkdir(exist_ok=True)
        poses = [camera_to_world(direction) for direction in directions]
        names = [f"{split}/r_{i}" for i in range(len(poses))]
        for file, image in zip(names, pool.map(render_view, [name] * len(poses), poses), strict=True):
            imageio.imwrite(out / f"{file}.png", image, compress_level=9, optimize=True)
        matrices = [pose.tolist() for pose in poses]
        frames = [{"file_path": f"./{n}", "transform_matrix": m} for n, m in zip(names, matrices, strict=True)]
        transforms = {"camera_angle_x": CAMERA_ANGLE_X, "frames": frames}
        (out / f"transforms_{split}.json").write_text(json.dumps(transforms, indent=1) + "\n")
    thin = thinnest(fitted(name), np.asarray(mesh.vertices)) * pixels_per_unit()
    seconds = time.perf_counter() - began
    print(
        f"{name}: genus {scene.genus}, {len(mesh.faces)} faces, thinnest part {thin:.1f} px, {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    """Make the scenes named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SCENES)}; default: all")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the scenes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="views rendered at the same time")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SCENES]
    if unknown:
        parser.error(f"names: expected some of {', '.join(SCENES)}, got {', '.join(unknown)}")
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for name in arguments.names or SCENES:
            make_scene(name, arguments.out / name, pool)


if __name__ == "__main__":
    main()
