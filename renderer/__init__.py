"""A differentiable rendering engine: algorithms relaxed by perturbation, in PyTorch."""

from renderer import losses, raster, reference, relax, scene, shading
from renderer.scene import Camera, Mesh, MeshBatch
from renderer.scene.material import Material
from renderer.shading import HardRenderer, SoftRenderer
from renderer.scene.lights import Lights

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "HardRenderer",
    "Lights",
    "Material",
    "Mesh",
    "MeshBatch",
    "SoftRenderer",
    "losses",
    "raster",
    "reference",
    "relax",
    "scene",
    "shading",
]
