"""A mesh from silhouettes: visual hull, fit, scores, report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from renderer.ops import serial_torch
from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views, has_test, load_views
from renderer.tasks.colour import COLOUR_STAGES, surface_by_colour
from renderer.tasks.optimise import SPHERE_STAGES, STAGES, Fit, Stage, fit_views, optimise, with_effort
from renderer.tasks.picture_results import PICTURE_OUTPUTS, write_picture_results
from renderer.tasks.picture_scores import picture_scores
from renderer.tasks.results import OUTPUTS, write_results
from renderer.tasks.run import Run, given_by
from renderer.tasks.scores import scores
from renderer.tasks.settings import Settings
from renderer.tasks.surface_pixels import surface_pixels
from renderer.tasks.texture import TextureSettings, optimise_texture, painted, unpainted
from renderer.tasks.texture import begin as begin_texture
from renderer.tasks.visual_hull import carve, level_surface, simplest_surface, surrounding_sphere
from renderer.train.ranks import Ranks, ranks

DEFAULT = Settings()
ALL_OUTPUTS = tuple(dict.fromkeys((*OUTPUTS, *PICTURE_OUTPUTS)))  # with or without colour: the one replaces the other


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The mesh, what `metrics.json` says, and the folder with the files."""

    mesh: Mesh
    metrics: dict[str, Any]
    folder: Path


@serial_torch()
def reconstruct(
    data: str | Path,
    out: str | Path,
    *,
    settings: Settings = DEFAULT,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Reconstruction:
    """Fit a closed mesh to the masks in the folder `data`; write mesh, film, report and metrics to the folder `out`.

    data: as `load_views` reads it; test views are scored and never fitted. device: of the fit, "cpu", "cuda", or "auto"
    for a GPU where there is one; hull, remeshing and scores are always the CPU's. resume: go on from the checkpoint in
    `out`, if there is one, on the CPU to the same bits. overwrite: replace an earlier result. progress: show a bar on a
    terminal.

    With `settings.colour` hollows that no silhouette shows are pulled in to where the views agree about their colours
    (`surface_by_colour`); then the mesh gets texture and light as by `fit_texture`, and `out` their files, too.

    Under torchrun the processes share the views of each step, and the first alone writes; all return the result.

    Raises DataError (bad data, masks that contradict each other, `out` in use), ValueError (a device that is not
    there), and Stopped, a KeyboardInterrupt, once a checkpoint is saved after Ctrl-C or SIGTERM. Nothing in `out`
    changes before the data has been read, and results appear there only when all are complete.

    >>> reconstruct("scenes/creature", "run").metrics["result"]["train_iou"]
    0.9988
    """
    with ranks(device) as here:
        return _reconstruct(data, out, settings, resume=resume, overwrite=overwrite, progress=progress, here=here)


def _reconstruct(
    data: str | Path, out: str | Path, settings: Settings, *, resume: bool, overwrite: bool, progress: bool, here: Ranks
) -> Reconstruction:
    run = Run(Path(out), ALL_OUTPUTS, resume=resume, overwrite=overwrite, here=here)
    train = load_views(data, "train", images=settings.colour)
    test = load_views(data, "test", images=settings.colour) if has_test(data) else None
    masks, camera = fit_views(train.masks, train.camera, settings.max_image_size)
    stages = with_effort(STAGES if settings.start == "hull" else SPHERE_STAGES, settings.effort)
    colour_stages = with_effort(COLOUR_STAGES, settings.effort) if settings.colour else ()

    def first_state() -> dict[str, Any]:
        with run.timed("hull"):
            hull, start = begin(data, masks, camera, settings)
        with run.timed("scores"):
            return {"hull": scores(hull, train, test), "fit": Fit(start).state()}

    # More processes add the views' gradients in another order.
    chosen = {**dataclasses.asdict(settings), "device": here.device.type, "processes": here.world}
    with run.opened(given_by(train), chosen) as state:
        state = state or here.from_first(first_state)
        fit = Fit.of_state(state["fit"], here.device)
        with run.timed("fit"), bar((*stages, *colour_stages), state, progress and here.first) as steps:

            def fitted(key: str, fit: Fit, stages: tuple[Stage, ...], surface: Mesh | None = None) -> Mesh:
                def after_step(fit: Fit) -> None:
                    steps.update()
                    steps.set_postfix(error=f"{fit.losses[-1]:.4f}", refresh=False)
                    run.checkpoint(lambda: {**state, key: fit.state()})

                mesh = optimise(
                    fit,
                    masks.to(here.device),
                    camera.to(here.device),
                    stages=stages,
                    max_faces=settings.max_faces,
                    views_per_step=settings.views_per_step,
                    seed=settings.seed,
                    after_step=after_step,
                    surface=surface,
                    here=here,
                )
                state[key] = fit.state()
                return mesh.to("cpu")

            mesh = silhouette_mesh = fitted("fit", fit, stages)
            if settings.colour:
                if "colour" not in state:

                    def rough() -> tuple[Tensor, Tensor]:
                        made = surface_by_colour(
                            mesh, train, max_faces=settings.max_faces, max_image_size=settings.max_image_size
                        )
                        return made.vertices, made.faces

                    state["rough"] = list(here.from_first(rough))
                    state["colour"] = Fit(Mesh(*state["rough"])).state()
                surface = Mesh(*state["rough"])
                colour_fit = Fit.of_state(state["colour"], here.device)
                mesh = fitted("colour", colour_fit, colour_stages, surface.to(here.device))

        def finish() -> dict[str, Any]:
            with run.timed("scores"):
                metrics = {
                    "result": scores(mesh, train, test),
                    "hull": state["hull"],
                    "data": {"folder": str(data), "train_views": len(train), "test_views": len(test) if test else 0},
                    "settings": dataclasses.asdict(settings),
                    "device": here.device.type,
                    "stages": [dataclasses.asdict(stage) for stage in (*stages, *colour_stages)],
                }
            if not settings.colour:
                with run.timed("files"), run.results() as folder:
                    write_results(folder, mesh, train, test, metrics=metrics, losses=fit.losses, seconds=run.elapsed)
                return metrics
            with run.timed("texture"):
                painted_mesh, lights, losses = paint(mesh, train, settings)
            with run.timed("scores"):
                pictures = picture_scores(painted_mesh, lights, train, test)
                metrics["silhouettes"] = scores(silhouette_mesh, train, test)
                metrics["result"] = {**pictures, **metrics["result"], "decibels": pictures["views"]}
            with run.timed("files"), run.results() as folder:
                mesh.save(folder / "mesh.ply")
                write_picture_results(
                    folder, painted_mesh, lights, train, test, metrics=metrics, losses=losses, seconds=run.elapsed
                )
            return metrics

        metrics = here.from_first(finish)
    return Reconstruction(mesh, metrics, run.folder)


def begin(data: str | Path, masks: Tensor, camera: Camera, settings: Settings) -> tuple[Mesh, Mesh]:
    """The visual hull, and the surface to start from; DataError where masks and cameras contradict each other."""
    try:
        carving = carve(masks, camera, resolution=settings.hull_resolution)
    except ValueError as error:
        raise DataError(f"{data}: {error}") from error
    hull = level_surface(carving, masks, camera)
    if settings.start == "sphere":
        return hull, surrounding_sphere(hull)
    return hull, simplest_surface(carving, masks, camera)


def paint(mesh: Mesh, views: Views, settings: Settings) -> tuple[Mesh, Lights | None, list[float]]:
    """The mesh with texture and light as `fit_texture` finds them, and the losses of that fit."""
    chosen = TextureSettings(size=settings.texture_size, seed=settings.seed)
    shape = unpainted(mesh, chosen)
    pixels = surface_pixels(shape, views)
    if len(pixels.colours) == 0:
        raise DataError("no pixel lies wholly inside the object: its colours cannot be told, run without --colour")
    fit = begin_texture(pixels, chosen)
    image, light = optimise_texture(fit, pixels, chosen)
    return *painted(shape, pixels, image, light, chosen), fit.losses


def bar(stages: tuple[Any, ...], state: dict[str, Any], progress: bool) -> tqdm:
    """A progress bar over the steps of all stages; None lets tqdm show it on terminals only."""
    total = sum(stage.steps for stage in stages)
    done = sum(len(state[key]["losses"]) for key in ("fit", "colour") if key in state)
    return tqdm(total=total, initial=done, unit="step", disable=None if progress else True)
