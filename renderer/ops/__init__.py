"""Native ops: one file each, registered with `torch.library` under `renderer::`."""

from renderer.ops import antialias, barycentrics, face_coverage, interpolate, outline_coverage, rasterize, texture
from renderer.ops.native import simd_level

__all__ = [
    "antialias",
    "barycentrics",
    "face_coverage",
    "interpolate",
    "outline_coverage",
    "rasterize",
    "simd_level",
    "texture",
]
