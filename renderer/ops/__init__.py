"""Native ops: one file each, registered with `torch.library` under `renderer::`."""

from renderer.ops import face_coverage, outline_coverage, rasterize
from renderer.ops.native import simd_level

__all__ = ["face_coverage", "outline_coverage", "rasterize", "simd_level"]
