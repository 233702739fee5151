"""A differentiable rendering engine: algorithms relaxed by perturbation, in PyTorch."""

from renderer import losses, raster, reference, relax, scene, sort
from renderer.raster import SoftRenderer
from renderer.scene import Camera, Mesh, MeshBatch

__version__ = "0.1.0"

__all__ = ["Camera", "Mesh", "MeshBatch", "SoftRenderer", "losses", "raster", "reference", "relax", "scene", "sort"]
