"""The golden pictures: one of each option of the renderers. `python -m tests.golden.pictures` draws them anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from renderer import Camera, HardRenderer, Lights, Material, Mesh, SoftRenderer
from renderer.scene import AmbientLight, DirectionalLight, PointLight, SphericalHarmonicsLight, torus
from renderer.viz import save_image

FOLDER = Path(__file__).parent
SIZE = 128
PAPER = "#f1f3f6"
CLAY = "#c9855f"
KEY = Lights(AmbientLight(0.25), DirectionalLight((0.4, 0.8, 0.6), colour=0.75))


def camera() -> Camera:
    return Camera.orbit(3.4, 38.0, 30.0, image_size=(SIZE, SIZE), fov_y=40.0)


def ring(**look) -> Mesh:
    """A torus, coarse enough that flat faces show."""
    return torus(radius=0.75, tube=0.33, segments=32, sides=16).with_appearance(material=Material(CLAY, **look))


def checked(texture_filter: str) -> Mesh:
    """The torus with a chequered texture, its seams where the angles start anew."""
    mesh = ring()
    x, y, z = mesh.vertices[mesh.faces].unbind(-1)
    around, across = torch.atan2(y, x), torch.atan2(z, (x * x + y * y).sqrt() - 0.75)
    uv = torch.stack([around, across], -1) / (2 * math.pi)
    # The corners of a face lie within half a turn of each other.
    uv = torch.where(uv - uv[:, :1] > 0.5, uv - 1, torch.where(uv - uv[:, :1] < -0.5, uv + 1, uv))
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(128), indexing="ij")
    squares = ((rows // 8 + columns // 8) % 2).unsqueeze(-1)
    image = torch.where(squares == 0, torch.tensor([0.1, 0.25, 0.5]), torch.tensor([0.9, 0.85, 0.6]))
    material = Material(texture=image, texture_filter=texture_filter)
    rows_of_uv = torch.arange(3 * len(mesh.faces)).reshape(-1, 3)
    return mesh.with_appearance(material=material, uv=uv.reshape(-1, 2), uv_faces=rows_of_uv)


def hard(mesh, lights: Lights | None = KEY, **options) -> Tensor:
    return HardRenderer(background=PAPER, **options)(mesh, camera(), lights)[0]


def soft(mesh, name: str = "logistic", lights: Lights | None = KEY, **options) -> Tensor:
    options = {"scale": 0.3, "gamma": 1e-3, "far": 10.0} | options
    return SoftRenderer(name, background=PAPER, **options)(mesh, camera(), lights)[0]


def several() -> list[Mesh]:
    ball = torus(radius=0.25, tube=0.14, segments=24, sides=12)
    ball = ball.with_appearance(material=Material("#4d7ea8", specular=0.4, shininess=30.0))
    return [ring(), ball.with_vertices(ball.vertices + torch.tensor([0.2, 0.35, 0.4]))]


def rainbow() -> Mesh:
    mesh = ring(normals="smooth").with_appearance(material=Material())
    return mesh.with_appearance(vertex_colours=0.5 + 0.45 * mesh.vertex_normals)


def confetti() -> Mesh:
    mesh = ring().with_appearance(material=Material(normals="flat"))
    colours = torch.rand(len(mesh.faces), 3, generator=torch.Generator().manual_seed(0))
    return mesh.with_appearance(face_colours=0.2 + 0.8 * colours)


def harmonics() -> Lights:
    coefficients = SphericalHarmonicsLight.hemisphere("#bcd7f5", "#6b4a2b").coefficients
    return Lights(SphericalHarmonicsLight(torch.cat([coefficients, 0.1 * torch.ones(5, 3)])))


PICTURES: dict[str, Callable[[], Tensor]] = {
    "hard": lambda: hard(ring()),
    "soft_face": lambda: soft(ring(), coverage="face"),
    "soft_outline": lambda: soft(ring(), coverage="outline"),
    "soft_cauchy": lambda: soft(ring(), "cauchy", coverage="outline", scale=1.0, gamma=1e-2),
    "flat": lambda: hard(ring(normals="flat")),
    "highlight": lambda: hard(ring(specular=0.5, shininess=40.0)),
    "ambient": lambda: hard(ring(), Lights(AmbientLight(0.8))),
    "directional": lambda: hard(ring(), Lights(DirectionalLight((0.4, 0.8, 0.6)))),
    "point": lambda: hard(ring(), Lights(PointLight((0.4, 0.5, 0.9), colour=0.6, falloff="inverse_square"))),
    "harmonics": lambda: hard(ring(), harmonics()),
    "texture_mipmap": lambda: hard(checked("mipmap")),
    "texture_nearest": lambda: hard(checked("nearest")),
    "texture_soft": lambda: soft(checked("mipmap"), coverage="outline"),
    "vertex_colours": lambda: hard(rainbow()),
    "face_colours": lambda: soft(confetti(), coverage="outline"),
    "several": lambda: hard(several()),
    "unlit": lambda: hard(several(), None),
    "aliased": lambda: hard(ring(), antialias=False),
}


def main() -> None:
    for name, draw in PICTURES.items():
        save_image(FOLDER / f"{name}.png", draw()[..., :3].clamp(0, 1))
        print(name)


if __name__ == "__main__":
    main()
