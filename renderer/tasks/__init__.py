"""One file for each inverse problem: from observations to a shape, a pose, a texture."""

from renderer.tasks.reconstruct import Reconstruction, reconstruct
from renderer.tasks.settings import Settings
from renderer.tasks.texture import TexturedMesh, TextureSettings, fit_texture
from renderer.tasks.visual_hull import visual_hull

__all__ = [
    "Reconstruction",
    "Settings",
    "TextureSettings",
    "TexturedMesh",
    "fit_texture",
    "reconstruct",
    "visual_hull",
]
