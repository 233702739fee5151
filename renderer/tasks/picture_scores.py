"""How near the pictures of a result come to the photographs."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.losses.image import psnr, ssim
from renderer.scene.colours import srgb_from_linear
from renderer.scene.images import INSIDE
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh
from renderer.scene.views import Views
from renderer.shading.hard_renderer import HardRenderer

SAMPLES = 2  # a side, of each pixel


def draw(mesh: Mesh, lights: Lights | None, views: Views) -> Float[Tensor, "N H W 4"]:
    """RGBA over black, linear, by each camera, antialiased by supersampling."""
    height, width = views.masks.shape[1:]
    large = views.camera.resize((height * SAMPLES, width * SAMPLES))
    renderer, pictures = HardRenderer(antialias=False), []
    with torch.no_grad():
        for camera in large:
            image = renderer(mesh, camera, lights)[0]
            pictures.append(image.unflatten(0, (height, SAMPLES)).unflatten(2, (width, SAMPLES)).mean((1, 3)))
    return torch.stack(pictures)


def as_seen(views: Views) -> Float[Tensor, "N H W 3"]:
    """The photographs over black, sRGB in [0, 1]."""
    assert views.images is not None
    return srgb_from_linear((views.images * views.masks.unsqueeze(-1)).clamp(0, 1))


def picture_scores(mesh: Mesh, lights: Lights | None, train: Views, test: Views | None) -> dict[str, Any]:
    """Mean PSNR in decibels and SSIM of training and unseen views, in sRGB over black.

    PSNR is over the pixels of the mask alone: black around the object would flatter it. "views" has it view by view.
    """
    result: dict[str, Any] = {}
    by_view: dict[str, dict[str, float]] = {}
    for split, views in {"train": train, "test": test}.items():
        if views is None:
            continue
        drawn, photographs = srgb_from_linear(draw(mesh, lights, views)[..., :3].clamp(0, 1)), as_seen(views)
        inside = (views.masks >= INSIDE).to(drawn)
        decibels = psnr(drawn, photographs, weight=inside, reduction="none")
        result[f"{split}_psnr"] = float(decibels.mean())
        result[f"{split}_ssim"] = float(ssim(drawn, photographs))
        by_view[split] = dict(zip(views.names, decibels.tolist(), strict=True))
    return {**result, "views": by_view}
