"""Meshes, cameras and the files they come from."""

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.scene.primitives import cube, cylinder, grid, icosphere, torus
from renderer.scene.views import Views, has_test, load_views

__all__ = [
    "Camera",
    "DataError",
    "Mesh",
    "MeshBatch",
    "Views",
    "cube",
    "cylinder",
    "grid",
    "has_test",
    "icosphere",
    "load_views",
    "torus",
]
