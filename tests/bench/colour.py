"""What colours add to silhouettes: `python -m tests.bench.colour [SCENE …]`, each a folder with views and mesh.ply.

Prints the README's table and writes tests/bench/results/colour.json. The F-score is taken at 1 % of the radius of the
true surface, on 400,000 points of each (so many that the gaps between them do not count).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from renderer import Mesh
from renderer.losses import f_score, sample_surface
from renderer.scene import load_views
from renderer.tasks import Settings, reconstruct
from renderer.tasks.visual_hull import visual_hull
from tests.bench import environment
from tests.bench.reconstruct import SCENES
from tests.bench.run import RESULTS, table

POINTS, SHARE = 400_000, 0.01


def surface_score(mesh: Mesh, truth: Mesh) -> float:
    radius = float((truth.vertices - truth.vertices.mean(0)).norm(dim=1).max())
    points = [
        sample_surface(m.vertices, m.faces, POINTS, generator=torch.Generator().manual_seed(seed))
        for seed, m in enumerate((mesh, truth))
    ]
    return round(float(f_score(points[0], points[1], SHARE * radius)), 4)


def row(folder: Path) -> dict[str, Any]:
    truth, views = Mesh.load(folder / "mesh.ply"), load_views(folder, "train")
    result: dict[str, Any] = {
        "scene": folder.name,
        "hull": surface_score(visual_hull(views.masks, views.camera), truth),
    }
    for name, colour in (("silhouettes", False), ("colour", True)):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as out:
            made = reconstruct(folder, out, settings=Settings(colour=colour))
        result[name] = surface_score(made.mesh, truth)
        result[f"{name}, unseen IoU"] = round(made.metrics["result"]["test_iou"], 4)
        result[f"{name}, seconds"] = round(time.perf_counter() - began, 1)
        if colour:
            result["unseen PSNR"] = round(made.metrics["result"]["test_psnr"], 1)
    return result


def main() -> None:
    folders = [Path(name) for name in sys.argv[1:]] or [
        SCENES / name for name in ("pumice", "creature", "teapot", "plant")
    ]
    rows = [row(folder) for folder in folders]
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    results = {"environment": environment.describe(), "rows": rows}
    (RESULTS / "colour.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
