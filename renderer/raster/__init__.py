"""From camera space to the screen: clip, project, cover, colour; rasterize, interpolate, look up, antialias."""

from renderer.raster.antialias import antialias
from renderer.raster.clip import clip_near
from renderer.raster.coverage import soft_silhouette
from renderer.raster.interpolate import interpolate
from renderer.raster.project import project_mesh
from renderer.raster.rasterize import Fragments, rasterize
from renderer.raster.soft_render import soft_render
from renderer.raster.texture import texture
from renderer.raster.texture_set import FaceTextures, TextureMap

__all__ = [
    "FaceTextures",
    "Fragments",
    "TextureMap",
    "antialias",
    "clip_near",
    "interpolate",
    "project_mesh",
    "rasterize",
    "soft_render",
    "soft_silhouette",
    "texture",
]
