"""A mesh in the browser: a page that needs no network, as a file or within a notebook."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from renderer.scene.mesh import Mesh
from renderer.scene.pose import upright_axes
from renderer.viz.shading import split_creases
from renderer.viz.templating import render

Vector = tuple[float, float, float]


def write_viewer(path: str | Path, mesh: Mesh, *, title: str = "Mesh", up: Vector = (0.0, 1.0, 0.0)) -> None:
    """Write a self-contained page with a 3-D view of one mesh that turns with the mouse.

    up: the world direction that points upwards on the screen. Raises: ValueError for a batched mesh or up of zero.

        >>> from renderer.scene import cube
        >>> write_viewer("cube.html", cube())
    """
    Path(path).write_text(render("viewer_page.html", title=title, data=mesh_data(mesh, up=up)), encoding="utf-8")


@dataclass(frozen=True, eq=False, repr=False)
class MeshView:
    """A 3-D view of one mesh that turns with the mouse; the last expression of a notebook's cell, it is displayed.

    Args:
        mesh: without batch dimensions.
        up: the world direction that points upwards on the screen.
        height: of the view, in pixels of the page.

    Raises: ValueError for a batched mesh, up of zero, or a height that is not positive.

    >>> from renderer.scene import cube
    >>> MeshView(cube())
    View of 12 faces
    """

    mesh: Mesh
    up: Vector = (0.0, 1.0, 0.0)
    height: int = 420

    def __post_init__(self) -> None:
        if self.mesh.vertices.ndim != 2:
            came = tuple(self.mesh.vertices.shape)
            raise ValueError(f"mesh: expected one mesh with vertices (V, 3), got {came}")
        if not self.height > 0:
            raise ValueError(f"height: expected a positive number of pixels, got {self.height}")
        upright_axes(self.up)

    def __repr__(self) -> str:
        return f"View of {self.mesh.num_faces} faces"

    def _repr_html_(self) -> str:
        # A frame of its own: neither the page's styles nor its scripts meet those of the notebook.
        page = render("viewer_frame.html", title=repr(self), data=mesh_data(self.mesh, up=self.up))
        style = f"width: 100%; height: {self.height}px; border: 0"
        return f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" style="{style}"></iframe>'


def mesh_data(mesh: Mesh, *, up: Vector = (0.0, 1.0, 0.0)) -> dict[str, Any]:
    """What `templates/viewer.js` draws: little-endian arrays in base64, the bounding sphere and the upright axes."""
    vertices, normals, faces = (part.cpu().numpy() for part in split_creases(mesh))
    low, high = mesh.bounds.detach().cpu().double().numpy()
    centre = (low + high) / 2
    # Vertices that no face uses are not among the split ones, so that a stray one does not shrink the view.
    radius = float(np.linalg.norm(vertices - centre, axis=1).max())
    padded = np.zeros((len(normals), 4), dtype=np.int8)  # the GPU reads normals in steps of four bytes
    padded[:, :3] = np.round(normals * 127)
    # Relative to the centre: a small mesh far from the origin keeps its digits in float32.
    return {
        "positions": _base64((vertices - centre).astype("<f4")),
        "normals": _base64(padded),
        "faces": _base64(faces.astype("<u4")),
        "radius": radius or 1.0,
        "axes": upright_axes(up).tolist(),
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
