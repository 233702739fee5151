"""Look at results: images, grids, turntables, a 3-D viewer and the report.

`grid.grid` and `turntable.turntable` stay behind their modules' names, which they would otherwise hide.
"""

from __future__ import annotations

from renderer.viz import grid, turntable
from renderer.viz.grid import compare, overlay
from renderer.viz.image import save_image, to_uint8
from renderer.viz.report import write_report
from renderer.viz.viewer import write_viewer

__all__ = ["compare", "grid", "overlay", "save_image", "to_uint8", "turntable", "write_report", "write_viewer"]
