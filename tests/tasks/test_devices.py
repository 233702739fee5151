"""Tasks make their tensors on the device of their input: the default device of these tests mixes with no other."""

from __future__ import annotations

import dataclasses

import torch

from renderer.scene import Camera, Lights, Scene, icosphere
from renderer.scene.atlas import with_atlas
from renderer.scene.material import Material
from renderer.scene.views import Views
from renderer.shading import HardRenderer, SoftRenderer
from renderer.tasks.optimise import STAGES, Fit, optimise
from renderer.tasks.surface_pixels import surface_pixels
from renderer.tasks.texture import TextureSettings, begin, optimise_texture, seen_texels

ELSEWHERE = torch.device("meta")


def views() -> Views:
    camera = Camera.orbit(3.0, torch.zeros(4), torch.arange(4) * 90.0, image_size=(24, 24), fov_y=45.0)
    pictures = HardRenderer()(icosphere(2, radius=0.8), camera, Lights.studio())
    names = tuple(f"view {i}" for i in range(4))
    return Views(pictures[..., 3].clone(), camera, names, (), pictures[..., :3].clone())


def test_reconstruction() -> None:
    seen, start = views(), icosphere(2, radius=0.6)
    stages = tuple(dataclasses.replace(stage, steps=2) for stage in STAGES[:2])
    with ELSEWHERE:
        fit = Fit.of_state(Fit(start).state(), "cpu")
        made = optimise(fit, seen.masks, seen.camera, stages=stages, max_faces=300)
    assert made.vertices.device.type == "cpu"
    assert bool(made.vertices.isfinite().all())


def test_texture() -> None:
    seen, shape = views(), with_atlas(icosphere(2, radius=0.8), resolution=32)
    settings = TextureSettings(size=32, steps=2)
    with ELSEWHERE:
        pixels = surface_pixels(shape, seen).to("cpu")
        image, light = optimise_texture(begin(pixels, settings), pixels, settings)
        read = seen_texels(pixels, 32)
    assert image.device.type == light.device.type == read.device.type == "cpu"
    assert float(image.max()) <= 1


def test_pictures() -> None:
    mesh = with_atlas(icosphere(2), resolution=16)
    mesh = mesh.with_appearance(material=Material(texture=torch.rand(16, 16, 3), texture_filter="mipmap", specular=0.3))
    scene = Scene([mesh])
    camera = scene.framed(image_size=(16, 16))
    soft = SoftRenderer("logistic", scale=0.5, coverage="face", near=0.5, far=9.0)
    with ELSEWHERE:
        moved = scene.to("cpu")
        for renderer in (HardRenderer(background=scene.background), soft):
            assert bool(moved.render(camera=camera, renderer=renderer).isfinite().all())
