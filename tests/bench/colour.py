"""What colours add to silhouettes: `python -m tests.bench.colour [SCENE …]`, each a folder with views and mesh.ply.

Prints the README's table and writes tests/bench/results/colour.json. The F-score is taken at 1 % of the radius of the
true surface, on 400,000 points of each (so many that the gaps between them do not count).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from renderer import Mesh
from renderer.scene import load_views
from renderer.tasks import Settings, reconstruct
from renderer.tasks.visual_hull import visual_hull
from tests.bench.reconstruct import SCENES, surface_score
from tests.bench.run import report

POINTS, SHARE = 400_000, 0.01


def score(mesh: Mesh, truth: Mesh) -> float:
    radius = float((truth.vertices - truth.vertices.mean(0)).norm(dim=1).max())
    return round(surface_score(mesh, truth, count=POINTS, threshold=SHARE * radius), 4)


def row(folder: Path) -> dict[str, Any]:
    truth, views = Mesh.load(folder / "mesh.ply"), load_views(folder, "train")
    result: dict[str, Any] = {
        "scene": folder.name,
        "hull": score(visual_hull(views.masks, views.camera), truth),
    }
    for name, colour in (("silhouettes", False), ("colour", True)):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as out:
            made = reconstruct(folder, out, settings=Settings(colour=colour))
        result[name] = score(made.mesh, truth)
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
    report("colour", rows)


if __name__ == "__main__":
    main()
