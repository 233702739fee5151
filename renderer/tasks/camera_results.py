"""The files of a camera that was found: camera, overlay, report, metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.images import IMAGE_EXTENSIONS, INSIDE, linear_rgb, read_image
from renderer.scene.lights import Lights
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.shading.hard_renderer import HardRenderer
from renderer.tasks.pose import silhouette_iou
from renderer.tasks.pose_parameters import degrees_between
from renderer.tasks.results import complete_metrics, overlays, up_direction
from renderer.tasks.run import versions
from renderer.viz.difference import overlay
from renderer.viz.picture import picture
from renderer.viz.report import write_report

PICTURE = "image"  # the name of the copied picture, before its extension
CAMERA_OUTPUTS = (
    *("metrics.json", "transforms.json", "candidates.json", "scene.toml", "overlay.png", "report.html"),
    *(f"{PICTURE}{extension}" for extension in IMAGE_EXTENSIONS),
)
PLAIN = "#8a9bb4"  # a mesh without colours of its own, so that it stands out from white
SMALLEST = 128  # pictures with a shorter side than that are enlarged in overlay.png


def write_camera_results(
    folder: Path,
    mesh: Mesh,
    cameras: Camera,
    silhouette: Float[Tensor, "H W"],
    image: Path,
    *,
    metrics: dict[str, Any],
    losses: Sequence[float],
    seconds: Callable[[], dict[str, float]],
) -> None:
    """Write `CAMERA_OUTPUTS` and complete `metrics` with versions and times; the best camera is the first.

    The folder becomes one that `load_views` reads, and with a mesh from a file a scene for `renderer render`.
    """
    name = f"{PICTURE}{image.suffix.lower()}"
    (folder / name).write_bytes(image.read_bytes())
    is_alpha = metrics["data"]["silhouette"] == "alpha"
    for file, some in (("transforms.json", cameras[:1]), ("candidates.json", cameras)):
        transforms = some.to_blender_transforms([name] * len(some))
        if not is_alpha:
            transforms["frames"] = [{**frame, "mask_path": name} for frame in transforms["frames"]]
        (folder / file).write_text(json.dumps(transforms, indent=2) + "\n", encoding="utf-8")
    masks = silhouette.expand(len(cameras), -1, -1)
    names = tuple("best" if i == 0 else f"other candidates/{i}" for i in range(len(cameras)))
    views = Views(masks, cameras, names, (image,) * len(cameras))
    up = up_direction(views[:1])
    if Path(metrics["data"]["mesh"]).is_file():
        (folder / "scene.toml").write_text(scene_text(Path(metrics["data"]["mesh"]), up), encoding="utf-8")
    drawn = overlays(views, mesh, "")
    sheet(mesh, cameras[0], silhouette, drawn[0][1], image if is_alpha else None).save(folder / "overlay.png")
    result = metrics["result"]
    write_report(
        folder / "report.html",
        title=f"Camera of {image.name}",
        mesh=mesh,
        views=[(label, predicted, target) for label, (_, predicted, target) in zip(names, drawn, strict=True)],
        curves={"mean error of the starts": (range(1, len(losses) + 1), losses)},
        metrics={
            "iou": result["iou"],
            "seconds": round(sum(seconds().values()), 1),
            "camera": {key: value for key, value in result.items() if key not in ("iou", "other_candidates")},
            "data": {"mesh": metrics["data"]["mesh"], "image": str(image), "mask": "alpha" if is_alpha else "image"},
        },
        settings={**metrics["settings"], "versions": versions()},
        up=up,
    )
    complete_metrics(folder / "metrics.json", metrics, seconds)


def camera_record(camera: Camera) -> dict[str, Any]:
    """A camera as people think of it: where it is, where it looks, what is up in the image, and its field of view."""
    rotation = camera.world_to_camera[:3, :3]
    focal, height = float(camera.K[1, 1]), camera.image_size[0]
    return {
        "position": camera.centre.tolist(),
        "forward": rotation[2].tolist(),
        "up": (-rotation[1]).tolist(),
        "fov_y": math.degrees(2 * math.atan(height / 2 / focal)),
    }


def candidate_records(mesh: Mesh, cameras: Camera, silhouette: Float[Tensor, "H W"]) -> list[dict[str, float]]:
    """For each camera its IoU, and the angle in degrees of the turn from the first."""
    rotations = cameras.world_to_camera[:, :3, :3].double()
    degrees = degrees_between(rotations, rotations[:1])
    return [
        {"iou": silhouette_iou(mesh, camera, silhouette), "degrees_from_best": float(angle)}
        for camera, angle in zip(cameras, degrees, strict=True)
    ]


def scene_text(mesh: Path, up: tuple[float, float, float]) -> str:
    """A scene.toml with the mesh as seen by the camera."""
    file = json.dumps(str(mesh.resolve()), ensure_ascii=False)
    return f'up = {list(up)}\n\n[[mesh]]\nfile = {file}\n\n[[camera]]\nname = "found"\ntransforms = "transforms.json"\n'


def sheet(
    mesh: Mesh, camera: Camera, silhouette: Float[Tensor, "H W"], covered: Float[Tensor, "H W"], image: Path | None
) -> Any:
    """The picture (its colours where `image` has them), the mesh as the camera sees it, and silhouette over mask."""
    given = silhouette
    if image is not None:
        colours = torch.from_numpy(linear_rgb(read_image(image), image)).to(silhouette).clamp(0, 1)
        given = colours * silhouette[..., None] + (1 - silhouette[..., None])
    plain = mesh.material is None and mesh.vertex_colours is None and mesh.face_colours is None
    look = mesh.with_appearance(material=Material(PLAIN)) if plain else mesh
    with torch.no_grad():
        drawn = HardRenderer(background=1.0)(look, camera, Lights.from_eye(camera))[0, ..., :3].clamp(0, 1)
    difference = overlay(covered, (silhouette >= INSIDE).to(covered))
    captions = ["given", "the mesh by this camera", "grey: both, orange: mesh only,\nblue: mask only"]
    zoom = -(-SMALLEST // min(silhouette.shape))
    return picture([given, drawn, difference], captions=captions, columns=3, zoom=zoom)
