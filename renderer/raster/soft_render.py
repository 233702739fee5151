"""Soft colour: every face that covers a pixel contributes, the nearer the more."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from renderer.ops.native_function import call
from renderer.raster.coverage import CoverageMode, soft_silhouette, support_eps
from renderer.raster.texture_set import FaceTextures, pack_textures, texture_slopes
from renderer.relax.distributions import Distribution
from renderer.relax.parameters import as_parameter
from renderer.relax.t_conorms import TConorm


def soft_render(
    screen_vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    attributes: Float[Tensor, "B A C"],
    image_size: tuple[int, int],
    *,
    distribution: Distribution,
    t_conorm: TConorm | None = None,
    gamma: float | Tensor = 1e-2,
    eps: float = 1e-3,
    background: Float[Tensor, "#B #H #W C"] | Float[Tensor, " C"] | None = None,
    near: float = 0.01,
    far: float = 100.0,
    coverage: CoverageMode = "face",
    attribute_faces: Int[Tensor, "F 3"] | None = None,
    textures: FaceTextures | None = None,
    perspective: bool = True,
) -> tuple[Float[Tensor, "B H W C"], Float[Tensor, "B H W"]]:
    r"""Colour by a softmax over depth, and soft coverage (alpha).

    Pixel colour = Σ_f w_f a_f + w_b background, w_f ∝ D_f exp(n_f / γ), w_b ∝ exp(ε / γ), n = (far − z)/(far − near)
    (Liu et al., SoftRas, ICCV 2019, eq. 5). D_f is the face's soft coverage; the attributes a_f and the depth z are
    those of the point of the face that is closest to the pixel, perspective-correct. One pass with a running maximum:
    no γ overflows. Alpha is `soft_silhouette` of the same faces. With textures, a_f is the attribute times the texture
    there, looked up for every face of every pixel before blending.

    Differentiable in `screen_vertices` (x, y by coverage and barycentrics; depth), `attributes`, `gamma`, `background`,
    the texture images and coordinates, and the parameters of the distribution and the T-conorm.

    Args:
        screen_vertices: pixel x, pixel y, depth. A face with a vertex at depth <= 0 contributes nothing.
        faces: vertex indices, int64.
        attributes: any number of channels; by default one row a vertex.
        image_size: (H, W).
        gamma: softness of the choice among depths, > 0; small is hard.
        eps: nearness of the background.
        background: (C,) or an image; 0 by default.
        near, far: depths that map to nearness 1 and 0. Clip at both beforehand: what lies beyond is not cut here.
        coverage: of alpha; colour is always blended over faces.
        attribute_faces: (F, 3) rows of `attributes` for the corners of each face; `faces` by default. Equal rows in the
            three corners make a colour a face; rows of their own for every corner allow seams.
        textures: images that multiply the first channels of the attributes, as many as they have; the others stay as
            they are. A mipmap's level is chosen at every pixel, as in :func:`renderer.raster.texture`.
        perspective: False for an orthographic camera, where depth and attributes are linear on the screen.

    Raises:
        ValueError, TypeError: one line naming the argument.

    Example:
        >>> rgb, alpha = soft_render(xyz, faces, colours, (256, 256), distribution=d, t_conorm=s, gamma=1e-2)
    """
    alpha = soft_silhouette(
        screen_vertices, faces, image_size, distribution=distribution, t_conorm=t_conorm, coverage=coverage
    )
    # A view, because torch.compile refuses a Function that gets the same tensor twice.
    attribute_faces = faces.view_as(faces) if attribute_faces is None else attribute_faces
    _check(screen_vertices, faces, attributes, attribute_faces)
    dtype, device = screen_vertices.dtype, screen_vertices.device
    parameters = torch.cat([distribution.parameters(dtype, device), as_parameter(gamma, screen_vertices).reshape(1)])
    settings = (*image_size, distribution.name, distribution.squared, support_eps(distribution, dtype))
    *texture_tensors, layouts = _texture_arguments(textures, screen_vertices, faces, attributes, perspective)
    colour, background_weight = call(
        "depth_softmax",
        *(screen_vertices, faces, attributes, attribute_faces, parameters),
        *texture_tensors,
        *(*settings, eps, near, far, perspective, layouts),
    )
    if background is not None:
        if background.shape[-1] != attributes.shape[-1]:
            raise ValueError(
                f"background: expected {attributes.shape[-1]} channels as attributes, got {background.shape[-1]}"
            )
        colour = colour + background_weight[..., None] * background
    return colour, alpha


def _check(vertices: Tensor, faces: Tensor, attributes: Tensor, attribute_faces: Tensor) -> None:
    if attributes.ndim != 3 or attributes.shape[0] != vertices.shape[0]:
        raise ValueError(
            f"attributes: expected shape (B, A, C) with B = {vertices.shape[0]}, got {tuple(attributes.shape)}"
        )
    if (attributes.dtype, attributes.device) != (vertices.dtype, vertices.device):
        expected, came = f"{vertices.dtype} on {vertices.device}", f"{attributes.dtype} on {attributes.device}"
        raise TypeError(f"attributes: expected {expected} as screen_vertices, got {came}")
    if attribute_faces.shape != faces.shape or attribute_faces.dtype != torch.int64:
        expected, came = (
            f"int64 of shape {tuple(faces.shape)}",
            f"{attribute_faces.dtype}, {tuple(attribute_faces.shape)}",
        )
        raise ValueError(f"attribute_faces: expected {expected}, got {came}")


def _texture_arguments(
    given: FaceTextures | None, vertices: Tensor, faces: Tensor, attributes: Tensor, perspective: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, list[int]]:
    """uv, uv_faces, slopes, texels, face_texture, layouts as `renderer::depth_softmax` takes them."""
    batch, count = vertices.shape[0], faces.shape[0]
    if given is None:
        none = faces.new_empty(0)
        uv, slopes, texels = (vertices.new_empty(batch, 0, n) for n in (2, 6, 0))
        return uv, none.view(0, 3), slopes, texels, none, []
    textures, uv, uv_faces, face_texture = given
    if uv.ndim != 3 or uv.shape[0] not in (1, batch) or uv.shape[-1] != 2:
        raise ValueError(f"uv: expected shape ({batch}, U, 2) or (1, U, 2), got {tuple(uv.shape)}")
    if uv_faces.shape != faces.shape or uv_faces.dtype != torch.int64:
        came = f"{uv_faces.dtype}, {tuple(uv_faces.shape)}"
        raise ValueError(f"uv_faces: expected int64 of shape {tuple(faces.shape)}, got {came}")
    if face_texture is None:
        face_texture = faces.new_zeros(count)
    if face_texture.shape != (count,) or face_texture.dtype != torch.int64:
        came = f"{face_texture.dtype}, {tuple(face_texture.shape)}"
        raise ValueError(f"face_texture: expected int64 of shape ({count},), got {came}")
    for name, tensor in (("uv", uv), *((f"textures[{i}]", t.image) for i, t in enumerate(textures))):
        if (tensor.dtype, tensor.device) != (vertices.dtype, vertices.device):
            expected, came = f"{vertices.dtype} on {vertices.device}", f"{tensor.dtype} on {tensor.device}"
            raise TypeError(f"{name}: expected {expected} as screen_vertices, got {came}")
    texels, layouts = pack_textures(textures, batch)
    if texels.shape[-1] > attributes.shape[-1]:
        raise ValueError(
            f"textures: expected at most {attributes.shape[-1]} channels as attributes, got {texels.shape[-1]}"
        )
    uv = uv.expand(batch, -1, -1)
    if any(t.filter == "mipmap" for t in textures):
        slopes = texture_slopes(vertices, faces, uv, uv_faces, perspective=perspective)
    else:
        slopes = vertices.new_zeros(batch, count, 6)
    # A view, as for attribute_faces.
    return uv, uv_faces.view_as(uv_faces), slopes, texels, face_texture, layouts
