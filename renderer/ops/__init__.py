"""Native ops: one file each, registered with `torch.library` under `renderer::`."""

from renderer.ops import (
    antialias,
    barycentrics,
    depth_softmax,
    face_coverage,
    interpolate,
    outline_coverage,
    rasterize,
    texture,
)
from renderer.ops.native import serial_torch, simd_level, threads

__all__ = [
    "antialias",
    "barycentrics",
    "depth_softmax",
    "face_coverage",
    "interpolate",
    "outline_coverage",
    "rasterize",
    "serial_torch",
    "simd_level",
    "texture",
    "threads",
]
