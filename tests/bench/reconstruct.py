"""The scenes of the project reconstructed at the default settings: `make bench-reconstruct`.

Prints the README's table and writes tests/bench/results/reconstruct.json. The F-score is taken at 1 % of a unit
object's radius, on 60,000 points of each surface, against the scene's own mesh.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from renderer import Mesh
from renderer.losses import f_score, sample_surface
from renderer.scene import load_views
from renderer.tasks import reconstruct
from renderer.tasks.visual_hull import carve, level_surface
from tests.bench.run import report

SCENES = Path(__file__).parents[2] / "scenes"
POINTS, THRESHOLD = 60_000, 0.01


def surface_score(mesh: Mesh, truth: Mesh, *, count: int = POINTS, threshold: float = THRESHOLD) -> float:
    points = [
        sample_surface(m.vertices, m.faces, count, generator=torch.Generator().manual_seed(seed))
        for seed, m in enumerate((mesh, truth))
    ]
    return float(f_score(points[0], points[1], threshold))


def scene_row(name: str) -> dict[str, Any]:
    truth, views = Mesh.load(SCENES / name / "mesh.ply"), load_views(SCENES / name, "train")
    hull = level_surface(carve(views.masks, views.camera), views.masks, views.camera)
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as out:
        made = reconstruct(SCENES / name, out)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    result, start = made.metrics["result"], made.metrics["hull"]
    return {
        "scene": name,
        "IoU training": round(result["train_iou"], 4),
        "unseen": round(result["test_iou"], 4),
        "hull training": round(start["train_iou"], 4),
        "hull unseen": round(start["test_iou"], 4),
        "F-score": round(surface_score(made.mesh, truth), 3),
        "hull F-score": round(surface_score(hull, truth), 3),
        "faces": result["faces"],
        "watertight": result["watertight"],
        "genus": result["genus"],
        "median smallest angle": round(result["median_smallest_angle"], 1),
        "seconds": round(wall, 1),
        "CPU seconds": round(cpu, 1),
    }


def main() -> None:
    names = sys.argv[1:] or sorted(p.parent.name for p in SCENES.glob("*/transforms_train.json"))
    rows = [scene_row(name) for name in names]
    report("reconstruct", rows)


if __name__ == "__main__":
    main()
