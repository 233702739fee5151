"""A mesh from silhouettes: visual hull, fit, scores, report."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from renderer.raster.pipeline import SoftRenderer
from renderer.scene.errors import DataError
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views, has_test, load_views
from renderer.tasks.optimise import SCALE, SPHERE_STAGES, STAGES, Fit, fit_views, optimise, with_effort
from renderer.tasks.run import Run, versions
from renderer.tasks.scores import mesh_quality, silhouette_ious
from renderer.tasks.visual_hull import Carving, carve, level_surface, simplest_surface, surrounding_sphere
from renderer.viz.report import write_report
from renderer.viz.turntable import turntable

OUTPUTS = ("metrics.json", "mesh.glb", "mesh.ply", "report.html", "turntable.mp4", "turntable.gif")
LEAST = {"hull_resolution": 8, "max_faces": 200, "views_per_step": 1, "max_image_size": 16, "seed": 0}


@dataclass(frozen=True)
class Settings:
    """What a reconstruction depends on besides the data.

    Attributes:
        start: "hull" finds handles and holes; "sphere" keeps genus 0 whatever the masks show.
        hull_resolution: voxels along the longest side.
        max_faces: limit of the mesh that comes out.
        views_per_step: how many views each step of the fit looks at.
        max_image_size: longest side at which masks are fitted, in pixels; larger ones are averaged down.
        effort: number of steps, relative to the default.
        seed: of the order in which the views are looked at.
        film: of the turntable.
    """

    start: Literal["hull", "sphere"] = "hull"
    hull_resolution: int = 128
    max_faces: int = 20_000
    views_per_step: int = 12
    max_image_size: int = 512
    effort: float = 1.0
    seed: int = 0
    film: Literal["mp4", "gif"] = "mp4"

    def __post_init__(self) -> None:
        for name, choices in (("start", ("hull", "sphere")), ("film", ("mp4", "gif"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {getattr(self, name)!r}")
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0 < self.effort < float("inf"):
            raise ValueError(f"effort: expected a positive factor, got {self.effort}")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The mesh, what `metrics.json` says, and the folder with the files."""

    mesh: Mesh
    metrics: dict[str, Any]
    folder: Path


def reconstruct(
    data: str | Path,
    out: str | Path,
    *,
    settings: Settings = Settings(),
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Reconstruction:
    """Fit a closed mesh to the masks in the folder `data` and write mesh, film, report and metrics to the folder `out`.

    data: as `load_views` reads it; views for testing are scored and never fitted. resume: go on from the checkpoint in
    `out`, if there is one, to the same bits. overwrite: replace an earlier result. progress: show a bar on stderr.
    Raises DataError (bad data, or `out` is in use), ValueError (settings, or masks without a common volume), and Stopped,
    a KeyboardInterrupt, after Ctrl-C or SIGTERM, when a checkpoint has been saved. Nothing in `out` changes before the data
    has been read, and results appear there only when all are complete.

    >>> reconstruct("scenes/knot", "run").metrics["result"]["train_iou"]
    0.998
    """
    run = Run(Path(out), OUTPUTS, resume=resume, overwrite=overwrite)
    train = load_views(data, "train")
    test = load_views(data, "test") if has_test(data) else None

    with run.opened(train, dataclasses.asdict(settings)) as state:
        if not state:
            with run.timed("hull"):
                carving = carve_data(data, train, settings.hull_resolution)
                hull = level_surface(carving, train.masks, train.camera)
                if settings.start == "hull":
                    start = simplest_surface(carving, train.masks, train.camera)
                else:
                    start = surrounding_sphere(hull)
            with run.timed("scores"):
                state.update(hull=scores(hull, train, test), fit=Fit(start).state())
        fit = Fit.of_state(state["fit"])
        stages = with_effort(STAGES if settings.start == "hull" else SPHERE_STAGES, settings.effort)
        masks, camera = fit_views(train.masks, train.camera, settings.max_image_size)
        total = sum(stage.steps for stage in stages)
        with run.timed("fit"), tqdm(total=total, initial=len(fit.losses), disable=not progress, unit="step") as bar:

            def after_step(fit: Fit) -> None:
                bar.update()
                bar.set_postfix(error=f"{fit.losses[-1]:.4f}", refresh=False)
                run.checkpoint(lambda: {**state, "fit": fit.state()})

            mesh = optimise(
                fit,
                masks,
                camera,
                stages=stages,
                max_faces=settings.max_faces,
                views_per_step=settings.views_per_step,
                seed=settings.seed,
                after_step=after_step,
            )
        with run.timed("scores"):
            result = scores(mesh, train, test)

        metrics: dict[str, Any] = {"result": summary(result), "hull": summary(state["hull"])}
        with run.results() as folder:
            with run.timed("files"):
                mesh.save(folder / "mesh.glb")
                mesh.save(folder / "mesh.ply")
                up = up_direction(train)
                turntable(mesh, path=folder / f"turntable.{settings.film}", up=up)
                metrics.update(
                    seconds=run.elapsed(),
                    data={"folder": str(data), "train_views": len(train), "test_views": len(test) if test else 0},
                    settings=dataclasses.asdict(settings),
                    stages=[dataclasses.asdict(stage) for stage in stages],
                    versions=versions(),
                )
                write_report(
                    folder / "report.html",
                    title=f"Reconstruction of {Path(data).resolve().name}",
                    mesh=mesh,
                    views=overlays(mesh, train, "train") + (overlays(mesh, test, "test") if test else []),
                    curves={"silhouette error": (range(1, len(fit.losses) + 1), fit.losses)},
                    metrics={
                        **{f"{key}": metrics["result"][key] for key in ("train_iou", "test_iou", "faces") if key in metrics["result"]},
                        "comparison": {"result": metrics["result"], "visual hull": metrics["hull"]},
                    },
                    settings={**metrics["settings"], "versions": metrics["versions"]},
                    up=up,
                )
            metrics["views"] = {"result": result["views"], "hull": state["hull"]["views"]}
            (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return Reconstruction(mesh, metrics, run.folder)


def carve_data(data: str | Path, train: Views, resolution: int) -> Carving:
    """The carving, or DataError naming the folder where cameras and masks contradict each other."""
    try:
        return carve(train.masks, train.camera, resolution=resolution)
    except ValueError as error:
        raise DataError(f"{data}: {error}") from error


def scores(mesh: Mesh, train: Views, test: Views | None) -> dict[str, Any]:
    """Mean IoU of training and unseen views, the mesh's quality, and under "views" the IoU of each view."""
    splits = {"train": train} if test is None else {"train": train, "test": test}
    ious = {name: silhouette_ious(mesh, views).tolist() for name, views in splits.items()}
    means = {f"{name}_iou": sum(values) / len(values) for name, values in ious.items()}
    by_view = {split: dict(zip(splits[split].names, ious[split], strict=True)) for split in splits}
    return {**means, **mesh_quality(mesh), "views": by_view}


def summary(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores without those of the single views."""
    return {key: value for key, value in scores.items() if key != "views"}


def overlays(mesh: Mesh, views: Views, split: str) -> list[tuple[str, Any, Any]]:
    """Name, silhouette and mask of each view, for the report."""
    renderer = SoftRenderer("uniform", scale=SCALE, coverage="outline")
    return [
        (f"{split}/{name.rsplit('/', 1)[-1]}", renderer.silhouette(mesh, camera)[0], mask)
        for name, camera, mask in zip(views.names, views.camera, views.masks, strict=True)
    ]


def up_direction(views: Views) -> tuple[float, float, float]:
    """The world axis that points upwards in most of the images."""
    up = -views.camera.world_to_camera[:, 1, :3].mean(dim=0)
    axis = int(up.abs().argmax())
    direction = [0.0, 0.0, 0.0]
    direction[axis] = 1.0 if up[axis] > 0 else -1.0
    return (direction[0], direction[1], direction[2])
