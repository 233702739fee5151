"""One file for each inverse problem: from observations to a shape, a pose, a texture."""

from renderer.tasks.reconstruct import Settings, reconstruct
from renderer.tasks.visual_hull import visual_hull

__all__ = ["Settings", "reconstruct", "visual_hull"]
