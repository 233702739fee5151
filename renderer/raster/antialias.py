"""Antialiasing across silhouette edges: what makes hard visibility differentiable."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

import renderer.ops.antialias  # noqa: F401  registers the op
from renderer.ops import native
from renderer.ops.native_function import call
from renderer.raster.rasterize import Fragments


def antialias(
    image: Float[Tensor, "B H W C"],
    fragments: Fragments,
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "B H W C"]:
    r"""Blend neighbouring pixels across the silhouette edges between them.

    Where a surface ends between the centres of two pixels, at a part t of the way from the pixel A that shows it to
    its neighbour B, it covers t - 1/2 of B, or leaves 1/2 - t of A: \max(0, t - 1/2) of B becomes A's colour, or
    \max(0, 1/2 - t) of A becomes B's. A straight edge between two colours comes out as its area in each row (edges
    steeper than 45 degrees blend horizontally, others vertically), so that sums over the image, and their derivatives,
    are unbiased. The idea is from Laine et al., "Modular Primitives for High-Performance Differentiable Rendering"
    (2020). Here the edge is found by walking over the mesh from A's centre towards B's, so that it may belong to a
    face too small to own a pixel.

    Differentiable in the image and in the x and y of `screen_vertices`: this is the derivative of visibility. Lines
    where two surfaces pass through each other are not blended.

    Args:
        image: shaded pixels, any number of channels; give alpha as one of them.
        fragments: what `image` shows, from :func:`rasterize` with the same vertices and faces.
        screen_vertices, faces: as given to :func:`rasterize`. Faces that meet must share their vertices; an edge
            with one face is a border.

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> image = antialias(shaded, fragments, screen_vertices, faces)
    """
    shape = tuple(fragments.face_id.shape)
    if image.ndim != 4 or tuple(image.shape[:3]) != shape:
        raise ValueError(f"image: expected shape {(*shape, 'C')} as the fragments, got {tuple(image.shape)}")
    native.check_screen(screen_vertices, faces, *shape[1:])
    if screen_vertices.shape[0] != shape[0]:
        raise ValueError(f"screen_vertices: expected {shape[0]} views as the fragments, got {screen_vertices.shape[0]}")
    if image.dtype != screen_vertices.dtype:
        raise TypeError(f"image: expected {screen_vertices.dtype} as screen_vertices, got {image.dtype}")
    return call("antialias", image, screen_vertices, faces, fragments.face_id, fragments.depth.detach())[0]
