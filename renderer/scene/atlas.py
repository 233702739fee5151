"""Texture coordinates for a mesh that has none."""

from __future__ import annotations

import torch

from renderer.scene.mesh import Mesh

PADDING = 2
"""Texels between charts, so that a bilinear lookup at the edge of one never reads another."""


def with_atlas(mesh: Mesh, *, resolution: int = 1024) -> Mesh:
    """The mesh with texture coordinates: charts without overlap, packed into the unit square by xatlas.

    The vertices stay shared: seams are in `uv_faces` alone.

    Args:
        mesh: one shape, (V, 3).
        resolution: width in texels of the square texture that is meant to be used, which decides how far apart the
            charts lie.

    Raises:
        ValueError: a batch of shapes, or a resolution below 16.
        ImportError: without the package xatlas.

    Example:
        >>> with_atlas(icosphere(3)).uv.shape
        torch.Size([781, 2])
    """
    if mesh.vertices.ndim != 2:
        raise ValueError(f"mesh: expected one shape (V, 3), got {tuple(mesh.vertices.shape)}")
    if resolution < 16:
        raise ValueError(f"resolution: expected at least 16 texels, got {resolution}")
    try:
        import xatlas
    except ImportError:
        raise ImportError("with_atlas: needs the package xatlas: pip install 'renderer[tasks]'") from None
    atlas = xatlas.Atlas()
    positions = mesh.vertices.detach().cpu().float().contiguous().numpy()
    atlas.add_mesh(positions, mesh.faces.cpu().to(torch.int32).numpy().astype("uint32"))
    options = xatlas.PackOptions()
    options.resolution, options.padding, options.bilinear = resolution, PADDING, True
    atlas.generate(pack_options=options)
    _, corners, uv = atlas[0]
    like = mesh.vertices
    uv_faces = torch.from_numpy(corners.astype("int64")).to(like.device)
    return mesh.with_appearance(uv=torch.from_numpy(uv).to(like), uv_faces=uv_faces)
