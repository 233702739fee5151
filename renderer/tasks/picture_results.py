"""The files of a task that explains pictures: textured mesh, light, film, report, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from renderer.scene.colours import srgb_from_linear
from renderer.scene.lights import Lights, SphericalHarmonicsLight
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh
from renderer.scene.scene import Scene
from renderer.scene.textures import encode_texture
from renderer.scene.views import Views
from renderer.shading.hard_renderer import HardRenderer
from renderer.tasks.picture_scores import SAMPLES, as_seen, draw
from renderer.tasks.results import complete_metrics, overlays, up_direction, without_views
from renderer.tasks.run import versions
from renderer.viz.film import write_film
from renderer.viz.image import to_uint8
from renderer.viz.report import write_report
from renderer.viz.turntable_film import BACKGROUND

PICTURE_OUTPUTS = (
    *("metrics.json", "mesh.glb", "texture.png", "light.json"),
    *("report.html", "turntable.mp4", "turntable.gif"),
)
FRAMES, FILM_SIZE = 60, 400
HEADLINES = ("train_psnr", "test_psnr", "train_iou", "test_iou", "faces")


def write_picture_results(
    folder: Path,
    mesh: Mesh,
    lights: Lights | None,
    train: Views,
    test: Views | None,
    *,
    metrics: dict[str, Any],
    losses: Sequence[float],
    seconds: Callable[[], dict[str, float]],
) -> None:
    """Write `PICTURE_OUTPUTS` (the film as the settings have it) and complete `metrics` with versions and times."""
    up = up_direction(train)
    mesh.save(folder / "mesh.glb")
    if mesh.material is not None and mesh.material.texture is not None:
        (folder / "texture.png").write_bytes(encode_texture(mesh.material.texture))
    if lights is not None:
        (folder / "light.json").write_text(json.dumps(light_record(lights), indent=2) + "\n", encoding="utf-8")
    write_film(folder / f"turntable.{metrics['settings']['film']}", turn(mesh, up))
    result = without_views(metrics["result"])
    comparison = {key: without_views(metrics[key]) for key in ("result", "silhouettes") if key in metrics}
    write_report(
        folder / "report.html",
        title=f"{Path(metrics['data']['folder']).resolve().name} in colour",
        mesh=mesh,
        views=overlays(train, mesh, "train") + overlays(test, mesh, "test"),
        pictures=pictures(train, mesh, lights, "train") + pictures(test, mesh, lights, "test"),
        curves={"colour error": (range(1, len(losses) + 1), losses)},
        metrics={
            **{key: result[key] for key in HEADLINES if result.get(key) is not None},
            "seconds": round(sum(seconds().values()), 1),
            "comparison": comparison,
        },
        settings={**metrics["settings"], "versions": versions()},
        up=up,
    )
    complete_metrics(folder / "metrics.json", metrics, seconds)


def turn(mesh: Mesh, up: tuple[float, float, float]) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """The pictures of a turntable of the mesh in its own colours, in neutral light."""
    look = mesh.material or Material()
    # Supersampled, and large on the screen: mipmaps would cost more than they show.
    scene = Scene([mesh.with_appearance(material=replace(look, texture_filter="linear"))], up=up)
    renderer = HardRenderer(background=BACKGROUND, antialias=False)
    azimuths = 360.0 / FRAMES * torch.arange(FRAMES)
    with torch.no_grad():
        for camera in scene.framed(azimuth=azimuths, image_size=(SAMPLES * FILM_SIZE, SAMPLES * FILM_SIZE)):
            image = scene.render(camera=camera, renderer=renderer)[0, ..., :3].movedim(-1, 0)
            yield to_uint8(torch.nn.functional.avg_pool2d(image, SAMPLES).movedim(0, -1).clamp(0, 1))


def light_record(lights: Lights) -> dict[str, Any]:
    """The coefficients of the spherical harmonics in the order and units of `SphericalHarmonicsLight`."""
    (light,) = lights
    assert isinstance(light, SphericalHarmonicsLight)
    return {"kind": "spherical_harmonics", "coefficients": light.coefficients.detach().tolist()}


def pictures(views: Views | None, mesh: Mesh, lights: Lights | None, split: str) -> list[tuple[str, Tensor, Tensor]]:
    """Name, picture and photograph of each view, sRGB over black."""
    if views is None:
        return []
    drawn = srgb_from_linear(draw(mesh, lights, views)[..., :3].clamp(0, 1))
    names = [f"{split}/{name.rsplit('/', 1)[-1]}" for name in views.names]
    return list(zip(names, drawn, as_seen(views), strict=True))
