"""Look at results: pictures, grids, differences, films, a 3-D viewer and the report; in files and in notebooks.

No module has the name of a function here, which would hide the one or the other.
"""

from __future__ import annotations

from renderer.viz.difference import compare, difference, overlay, signed
from renderer.viz.display import show
from renderer.viz.film import Film
from renderer.viz.image import save_image, to_uint8
from renderer.viz.image_grid import grid
from renderer.viz.picture import Picture
from renderer.viz.report import write_report
from renderer.viz.turntable_film import turntable
from renderer.viz.viewer import MeshView, write_viewer

__all__ = [
    "Film",
    "MeshView",
    "Picture",
    "compare",
    "difference",
    "grid",
    "overlay",
    "save_image",
    "show",
    "signed",
    "to_uint8",
    "turntable",
    "write_report",
    "write_viewer",
]
