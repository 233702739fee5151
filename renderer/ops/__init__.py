"""Native ops: one file each, registered with `torch.library` under `renderer::`."""

from renderer.ops import (
    antialias,
    barycentrics,
    depth_softmax,
    face_coverage,
    interpolate,
    outline_coverage,
    rasterize,
    sort_matrix,
    sort_payload,
    sort_values,
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
    "sort_matrix",
    "sort_payload",
    "sort_values",
    "texture",
    "threads",
]
