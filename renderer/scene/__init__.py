"""Meshes, cameras and the files they come from."""

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.lights import (
    AmbientLight,
    DirectionalLight,
    Lights,
    PointLight,
    SphericalHarmonicsLight,
)
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.scene.primitives import cube, cylinder, grid, icosphere, torus
from renderer.scene.scene import Scene
from renderer.scene.views import Views, has_test, load_views

__all__ = [
    "AmbientLight",
    "Camera",
    "DataError",
    "DirectionalLight",
    "Lights",
    "Material",
    "Mesh",
    "MeshBatch",
    "PointLight",
    "Scene",
    "SphericalHarmonicsLight",
    "Views",
    "cube",
    "cylinder",
    "grid",
    "has_test",
    "icosphere",
    "load_views",
    "torus",
]
