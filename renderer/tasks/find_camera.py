"""The camera of one picture of a known mesh: fit, overlay, report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from renderer.ops import serial_torch
from renderer.scene.camera import Camera
from renderer.scene.images import mask_of_mask_file, read_image
from renderer.scene.mesh import Mesh
from renderer.tasks.camera_results import CAMERA_OUTPUTS, camera_record, candidate_records, write_camera_results
from renderer.tasks.pose import estimate_pose
from renderer.tasks.pose_fit import PoseFit
from renderer.tasks.pose_settings import PoseSettings
from renderer.tasks.run import Run
from renderer.train.ranks import device_named

DEFAULT = PoseSettings()


@dataclass(frozen=True, eq=False)
class FoundCamera:
    """The camera, others that explain the picture less well, what `metrics.json` says, and the folder."""

    camera: Camera
    others: Camera
    metrics: dict[str, Any]
    folder: Path


@serial_torch()
def find_camera(
    mesh: str | Path | Mesh,
    image: str | Path,
    out: str | Path,
    *,
    settings: PoseSettings = DEFAULT,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> FoundCamera:
    """Find the camera from which a mesh has the silhouette of a picture; write camera, overlay and report to `out`.

    image: a mask, or RGBA, of which the alpha counts and not the colours. device: "cpu", "cuda", or "auto" for a GPU
    where there is one. resume, overwrite, progress: as for `reconstruct`; on the CPU, going on gives the same bits.

    `out` is afterwards a folder as `load_views` reads it: transforms.json, with the picture beside it.

    Raises DataError (bad files, `out` in use), ValueError (a device that is not there), and Stopped, a
    KeyboardInterrupt, once a checkpoint is saved after Ctrl-C or SIGTERM.

    >>> find_camera("scenes/teapot/mesh.ply", "scenes/teapot/test/r_0.png", "run").metrics["result"]["iou"]
    0.995
    """
    run = Run(Path(out), CAMERA_OUTPUTS, resume=resume, overwrite=overwrite)
    where = device_named(device)
    pixels = read_image(Path(image))
    silhouette = torch.from_numpy(mask_of_mask_file(pixels, Path(image)))
    shape = mesh.to("cpu") if isinstance(mesh, Mesh) else Mesh.load(mesh)
    chosen = {**dataclasses.asdict(settings), "device": where.type}

    with run.opened([silhouette, shape.vertices, shape.faces], chosen) as state:
        fit = PoseFit.of_state(state, where) if state else None
        total = settings.steps + settings.refine_steps
        start = fit.step if fit else 0
        bar = tqdm(total=total, initial=start, unit="step", disable=None if progress else True)
        with run.timed("fit"), bar:

            def after_step(fit: PoseFit) -> None:
                bar.update()
                bar.set_postfix(error=f"{fit.losses[-1]:.4f}", refresh=False)
                run.checkpoint(fit.state)

            bare = Mesh(shape.vertices.detach().to(where), shape.faces.to(where))
            mask = silhouette.to(bare.vertices)
            found = estimate_pose(bare, mask, settings=settings, fit=fit, after_step=after_step)
        cameras = found.starts[found.candidates].to("cpu")
        with run.timed("scores"):
            candidates = candidate_records(shape, cameras, silhouette)
            metrics = {
                "result": {"iou": found.iou, **camera_record(cameras[0]), "other_candidates": candidates[1:]},
                "data": {
                    "mesh": str(mesh) if not isinstance(mesh, Mesh) else "given",
                    "image": str(image),
                    "silhouette": "alpha" if alpha_counts(pixels) else "mask",
                },
                "settings": chosen,
            }
        with run.timed("files"), run.results() as folder:
            write_camera_results(
                folder,
                shape,
                cameras,
                silhouette,
                Path(image),
                metrics=metrics,
                losses=found.losses,
                seconds=run.elapsed,
            )
    return FoundCamera(cameras[0], cameras[1:], metrics, run.folder)


def alpha_counts(pixels: Any) -> bool:
    """Whether the silhouette is in the alpha channel, as `mask_of_mask_file` takes it."""
    return bool(pixels.shape[2] in (2, 4) and pixels[..., -1].min() < 1)
