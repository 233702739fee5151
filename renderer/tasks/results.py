"""The files of a reconstruction: mesh, film, report, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.shading.soft_renderer import SoftRenderer
from renderer.tasks.optimise import SCALE
from renderer.tasks.run import versions
from renderer.viz import turntable, write_report

OUTPUTS = ("metrics.json", "mesh.glb", "mesh.ply", "report.html", "turntable.mp4", "turntable.gif")
HEADLINES = ("train_iou", "test_iou", "faces", "genus")  # set large in the report


def write_results(
    folder: Path,
    mesh: Mesh,
    train: Views,
    test: Views | None,
    *,
    metrics: dict[str, Any],
    losses: Sequence[float],
    seconds: Callable[[], dict[str, float]],
) -> None:
    """Write `OUTPUTS` (the film in the format of the settings) and complete `metrics` with versions and times.

    >>> write_results(Path("run"), mesh, train, None, metrics=metrics, losses=[0.1], seconds=run.elapsed)
    """
    up = up_direction(train)
    mesh.save(folder / "mesh.glb")
    mesh.save(folder / "mesh.ply")
    turntable(mesh, path=folder / f"turntable.{metrics['settings']['film']}", up=up)
    result, hull = (without_views(metrics[key]) for key in ("result", "hull"))
    write_report(
        folder / "report.html",
        title=f"Reconstruction of {Path(metrics['data']['folder']).resolve().name}",
        mesh=mesh,
        views=overlays(train, mesh, "train") + overlays(test, mesh, "test"),
        curves={"silhouette error": (range(1, len(losses) + 1), losses)},
        metrics={
            **{key: result[key] for key in HEADLINES if result.get(key) is not None},
            "seconds": round(sum(seconds().values()), 1),
            "comparison": {"result": result, "visual hull": hull},
        },
        settings={**metrics["settings"], "versions": versions()},
        up=up,
    )
    complete_metrics(folder / "metrics.json", metrics, seconds)


def complete_metrics(path: Path, metrics: dict[str, Any], seconds: Callable[[], dict[str, float]]) -> None:
    """Add versions and times to the metrics, and write them."""
    metrics.update(versions=versions(), seconds=seconds())
    metrics["seconds"]["total"] = sum(metrics["seconds"].values())
    path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def without_views(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores without those of the single views."""
    return {key: value for key, value in scores.items() if not isinstance(value, dict)}


def overlays(views: Views | None, mesh: Mesh, split: str) -> list[tuple[str, Tensor, Tensor]]:
    """Name, silhouette and mask of each view."""
    if views is None:
        return []
    renderer = SoftRenderer("uniform", scale=SCALE, coverage="outline")
    return [
        (f"{split}/{name.rsplit('/', 1)[-1]}", renderer.silhouette(mesh, camera)[0], mask)
        for name, camera, mask in zip(views.names, views.camera, views.masks, strict=True)
    ]


def up_direction(views: Views) -> tuple[float, float, float]:
    """The world axis that points upwards in most of the images."""
    up = -views.camera.world_to_camera[:, 1, :3].mean(dim=0)
    axis = int(up.abs().argmax())
    x, y, z = (float(up[axis].sign()) if axis == i else 0.0 for i in range(3))
    return x, y, z
