"""Show anything in a notebook."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from renderer.scene.mesh import Mesh
from renderer.scene.scene import Scene
from renderer.viz.picture import Picture, picture
from renderer.viz.viewer import MeshView


def show(
    thing: Tensor | Sequence[Tensor] | Mesh | Scene,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    zoom: int = 1,
) -> Picture | MeshView:
    """What displays itself as the last expression of a notebook's cell, without a server or a network.

    Images and masks, one, a batch or a list, become a `Picture` (see there for captions, columns and zoom), a mesh and
    the meshes of a scene a view that turns with the mouse.
    Raises: ValueError for another type, shapes that are no images, or captions, columns or zoom beside a mesh.

        >>> show(torch.zeros(4, 8, 8), captions=["a", "b", "c", "d"])
        Picture of 22 × 62 pixels
    """
    if isinstance(thing, Mesh | Scene):
        for name, value, default in (("captions", captions, None), ("columns", columns, None), ("zoom", zoom, 1)):
            if value != default:
                raise ValueError(f"{name}: expected {default} beside a {type(thing).__name__}, got {value!r}")
        return MeshView(thing) if isinstance(thing, Mesh) else MeshView(joined(thing.meshes), up=thing.up)
    if isinstance(thing, Tensor) or (isinstance(thing, list | tuple) and all(isinstance(t, Tensor) for t in thing)):
        return picture(thing, captions=captions, columns=columns, zoom=zoom)
    expected = "a Tensor, a list of Tensors, a Mesh or a Scene"
    raise ValueError(f"thing: expected {expected}, got {type(thing).__name__}")


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh with the vertices and faces of several, without their looks."""
    starts = torch.tensor([0] + [mesh.num_vertices for mesh in meshes]).cumsum(0).tolist()
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(faces))
