"""Native ops: one file each, registered with `torch.library` under `renderer::`."""

from renderer.ops import depth_softmax, face_coverage, outline_coverage, rasterize
from renderer.ops.native import serial_torch, simd_level, threads

__all__ = ["depth_softmax", "face_coverage", "outline_coverage", "rasterize", "serial_torch", "simd_level", "threads"]
