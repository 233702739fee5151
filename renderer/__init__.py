"""A differentiable rendering engine: algorithms relaxed by perturbation, in PyTorch."""

from renderer import logic, losses, raster, reference, relax, scene, shading, sort
from renderer.scene import Camera, Lights, Material, Mesh, MeshBatch, Scene
from renderer.shading import HardRenderer, SoftRenderer

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "HardRenderer",
    "Lights",
    "Material",
    "Mesh",
    "MeshBatch",
    "Scene",
    "SoftRenderer",
    "logic",
    "losses",
    "raster",
    "reference",
    "relax",
    "scene",
    "shading",
    "sort",
]
