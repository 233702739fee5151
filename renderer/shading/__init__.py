"""Light and surface: lights, materials, reflection, and the two renderers."""

from renderer.scene.lights import (
    AmbientLight,
    DirectionalLight,
    Light,
    Lights,
    PointLight,
    SphericalHarmonicsLight,
    spherical_harmonics,
)
from renderer.scene.material import Material
from renderer.shading.hard_renderer import HardRenderer
from renderer.shading.reflection import blinn_phong, lambert
from renderer.shading.soft_renderer import SoftRenderer

__all__ = [
    "AmbientLight",
    "DirectionalLight",
    "HardRenderer",
    "Light",
    "Lights",
    "Material",
    "PointLight",
    "SoftRenderer",
    "SphericalHarmonicsLight",
    "blinn_phong",
    "lambert",
    "spherical_harmonics",
]
