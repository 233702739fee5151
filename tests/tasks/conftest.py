"""Small scenes: masks of known shapes, in memory and on disk."""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest
import torch
from torch import Tensor

from renderer import HardRenderer, Lights
from renderer.scene import Camera, Mesh, Views, torus
from renderer.tasks.parts import cover
from renderer.tasks.run import CHECKPOINT
from renderer.viz import save_image

SAMPLES = 4  # per pixel and axis


def orbit_cameras(count: int, size: int) -> Camera:
    """Cameras around the origin, spread evenly over the sphere."""
    index = torch.arange(count) + 0.5
    elevation = torch.rad2deg(torch.asin(1 - 2 * index / count))
    return Camera.orbit(5.0, elevation, index * 137.5, image_size=(size, size), fov_y=35.0)


def masks_of(mesh: Mesh, camera: Camera) -> Tensor:
    """Antialiased masks by supersampling."""
    fine = cover(mesh, camera.resize(float(SAMPLES))).to(mesh.vertices.dtype)
    return torch.nn.functional.avg_pool2d(fine[:, None], SAMPLES)[:, 0]


def views_of(mesh: Mesh, *, count: int = 8, size: int = 64) -> Views:
    camera = orbit_cameras(count, size)
    names = tuple(f"r_{i}" for i in range(count))
    return Views(masks_of(mesh, camera), camera, names, tuple(Path(name) for name in names))


def write_scene(folder: Path, mesh: Mesh, *, count: int = 8, tests: int = 2, size: int = 64) -> Path:
    """RGBA images with transforms files, as NeRF's synthetic scenes have them."""
    camera = orbit_cameras(count + tests, size)
    masks = masks_of(mesh, camera)
    order = torch.randperm(len(masks), generator=torch.Generator().manual_seed(1)).tolist()
    for split, chosen in (("train", order[:count]), ("test", order[count:])):
        (folder / split).mkdir(parents=True)
        frames = camera[chosen].to_blender_transforms([f"./{split}/r_{i}" for i in range(len(chosen))])
        frames["camera_angle_x"] = math.radians(35.0)
        (folder / f"transforms_{split}.json").write_text(json.dumps(frames))
        for i, mask in enumerate(masks[chosen]):
            alpha = (mask * 255).round().to(torch.uint8)
            grey = torch.full_like(alpha, 128)
            iio.imwrite(folder / split / f"r_{i}.png", torch.stack([grey, grey, grey, alpha], dim=-1).numpy())
    return folder


def write_coloured_scene(
    folder: Path, mesh: Mesh, lights: Lights | None, *, count: int = 8, tests: int = 2, size: int = 64
) -> Path:
    """As `write_scene`, with the mesh in its own colours in some light."""
    camera = orbit_cameras(count + tests, size)
    for split, chosen in (("train", range(count)), ("test", range(count, count + tests))):
        (folder / split).mkdir(parents=True)
        views = camera[list(chosen)]
        frames = views.to_blender_transforms([f"./{split}/r_{i}" for i in range(len(chosen))])
        frames["camera_angle_x"] = math.radians(35.0)
        (folder / f"transforms_{split}.json").write_text(json.dumps(frames))
        for i, view in enumerate(views):
            large = HardRenderer(antialias=False)(mesh, view.resize(float(SAMPLES)), lights)[0]
            image = torch.nn.functional.avg_pool2d(large.movedim(-1, 0), SAMPLES).movedim(0, -1)
            alpha = image[..., 3:].clamp(0, 1)
            colour = (image[..., :3] / alpha.clamp(min=1e-6)).clamp(0, 1)
            save_image(folder / split / f"r_{i}.png", torch.cat([colour, alpha], -1))
    return folder


def stop_at_first_checkpoint(process: subprocess.Popen[Any], out: Path, number: int) -> int:
    """Send a signal as soon as the process has saved a checkpoint in `out`; its exit status."""
    deadline = time.monotonic() + 60
    while not (out / CHECKPOINT).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.fixture(scope="session")
def ring() -> Mesh:
    return torus(radius=0.8, tube=0.3)


@pytest.fixture(scope="session")
def ring_views(ring: Mesh) -> Views:
    return views_of(ring)


@pytest.fixture(scope="session")
def ring_folder(ring: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("data") / "ring", ring)


@pytest.fixture
def scene_of(tmp_path: Path) -> Callable[[Mesh], Path]:
    return lambda mesh: write_scene(tmp_path / "scene", mesh)
