"""From camera space to the screen: clip, project, cover, rasterize."""

from renderer.raster.clip import clip_near
from renderer.raster.coverage import soft_silhouette
from renderer.raster.pipeline import SoftRenderer
from renderer.raster.project import project_mesh
from renderer.raster.rasterize import Fragments, rasterize
from renderer.raster.soft_render import soft_render

__all__ = ["Fragments", "SoftRenderer", "clip_near", "project_mesh", "rasterize", "soft_render", "soft_silhouette"]
