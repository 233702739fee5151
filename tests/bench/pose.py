"""The published camera protocol (Petersen et al., GenDR, CVPR 2022): `make bench-pose`, or with the number of poses.

A silhouette of 64×64 pixels, distance U(2.5, 4), half field of view 20°, elevation and azimuth N(0, 60°). One start:
turned by 15-35, 35-55 or 55-75 degrees, distance U(2, 10), half field of view U(10°, 30°), both unknown. 1,000 steps;
success: the whole rotation, roll included, is less than 5° off. Writes tests/bench/results/pose.json.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renderer import Mesh
from renderer.scene.pose import FLIP_YZ, orbiting
from renderer.tasks.optimise import remesh_to
from renderer.tasks.parts import cover
from renderer.tasks.pose_fit import PoseFit, fit_poses
from renderer.tasks.pose_parameters import Poses, degrees_between
from renderer.tasks.pose_settings import PoseSettings
from tests.bench import environment
from tests.bench.run import RESULTS, table

TEAPOT = Path(__file__).parents[2] / "scenes" / "teapot" / "mesh.ply"
FACES, SIZE, HALF_FOV = 800, 64, 20.0
RANGES = ((15, 35), (35, 55), (55, 75))
SUCCESS = 5.0

PUBLISHED = PoseSettings(
    fov_y=None, centred=True, keep=1.0, steps=1000, squared=True, first_scale=1e-1, last_scale=1e-7,
    step_size=0.02, loss="iou", soften_target=False, match_size=False,
)  # fmt: skip
DESCENT = replace(PUBLISHED, squared=False, last_scale=1e-3, loss="mse", soften_target=True, match_size=True)
HOPS = replace(DESCENT, hops=9)
SETTINGS = {
    "published schedule and loss": PUBLISHED,
    "softened target": DESCENT,
    "softened target, 9 hops": HOPS,
    "softened target, 9 hops, uniform": replace(HOPS, distribution="uniform"),
    "softened target, 9 hops, cauchy": replace(HOPS, distribution="cauchy"),
}


def turned(elevation: Tensor, azimuth: Tensor) -> Tensor:
    """Rotations that are the identity at 0, 0."""
    return orbiting(torch.ones_like(elevation), elevation, azimuth)[:, :3, :3] @ torch.diag(torch.tensor(FLIP_YZ))


def poses_of(rotation: Tensor, distance: Tensor, half_fov: Tensor) -> Poses:
    focal = 0.5 / torch.tan(torch.deg2rad(half_fov))
    return Poses(rotation, (focal / distance).log(), distance.log(), torch.zeros(len(rotation), 2))


def row(mesh: Mesh, name: str, settings: PoseSettings, count: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    distance = 2.5 + 1.5 * torch.rand(count, generator=generator)
    truth = turned(*(60 * torch.randn(2, count, generator=generator)))
    centre = torch.zeros(3)
    with torch.no_grad():
        views = poses_of(truth, distance, torch.full((count,), HALF_FOV)).camera(centre, (SIZE, SIZE))
        masks = cover(mesh, views).float()
    result: dict[str, Any] = {"setting": name}
    began = time.process_time()
    for low, high in RANGES:
        generator = torch.Generator().manual_seed(0)
        distance = 2 + 8 * torch.rand(count, generator=generator)
        direction = torch.nn.functional.normalize(torch.randn(2, count, generator=generator), dim=0)
        offset = direction * (low + (high - low) * torch.rand(count, generator=generator))
        start = poses_of(turned(*offset) @ truth, distance, 10 + 20 * torch.rand(count, generator=generator))
        fit = PoseFit.begin(start)
        fit_poses(mesh, masks, fit, settings=settings, centre=centre)
        error = degrees_between(fit.best.rotation, truth)
        result[f"{low}-{high}°, %"] = round(100 * float((error < SUCCESS).float().mean()), 1)
        print(name, low, high, result[f"{low}-{high}°, %"], file=sys.stderr, flush=True)
    return {**result, "CPU seconds": round(time.process_time() - began, 1)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    wanted = sys.argv[2:] or list(SETTINGS)
    mesh = remesh_to(Mesh.load(TEAPOT, appearance=False), FACES)
    rows = [row(mesh, name, SETTINGS[name], count) for name in wanted]
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    settings = {name: asdict(SETTINGS[name]) for name in wanted}
    results = {"environment": environment.describe(), "poses": count, "faces": mesh.num_faces, "rows": rows}
    (RESULTS / "pose.json").write_text(json.dumps({**results, "settings": settings}, indent=2) + "\n")


if __name__ == "__main__":
    main()
