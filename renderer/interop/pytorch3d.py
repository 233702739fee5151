"""Cameras, meshes, textures and settings of PyTorch3D.

It need not be installed to read its objects, only to make them.

Source of the conventions: https://pytorch3d.org/docs/cameras
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from renderer.interop.softras import from_softras
from renderer.scene.camera import DEFAULT_NEAR, Camera, Projection
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.shading import SoftRenderer

PYTORCH3D_EPS = 1e-10
"""Nearness of the background in ``softmax_rgb_blend``."""


def cameras_from_pytorch3d(
    cameras: Any, *, image_size: tuple[int, int] | None = None, near: float = DEFAULT_NEAR
) -> Camera:
    """A batch of cameras from ``PerspectiveCameras``, ``OrthographicCameras``, ``FoVPerspectiveCameras`` or
    ``FoVOrthographicCameras``.

    Args:
        cameras: the PyTorch3D object.
        image_size: (height, width) in pixels, where the object has none.
        near: the near plane of the result, in world units.

    Differentiable in the object's R, T, focal length, principal point, fov and extents.

    Raises:
        ValueError: no image size, several image sizes, or a calibration given as a matrix ``K``.
    """
    if getattr(cameras, "K", None) is not None:
        raise ValueError("cameras: expected focal lengths or angles, got a camera defined by a matrix K")
    R, T = cameras.R, cameras.T
    if hasattr(cameras, "focal_length"):
        focal = torch.as_tensor(cameras.focal_length).to(R)
        focal = focal.reshape(-1, 1 if focal.ndim < 2 else focal.shape[-1]).expand(R.shape[0], 2)
        centre, in_ndc = torch.as_tensor(cameras.principal_point).to(R).expand(R.shape[0], 2), cameras.in_ndc()
    elif hasattr(cameras, "fov"):
        fov, aspect = (torch.as_tensor(value).to(R).reshape(-1) for value in (cameras.fov, cameras.aspect_ratio))
        tangent = torch.tan((fov * math.pi / 180 if cameras.degrees else fov) / 2)
        focal, centre, in_ndc = _pair(1 / (aspect * tangent), 1 / tangent, like=R), R.new_zeros(R.shape[0], 2), True
    else:
        names = ("min_x", "max_x", "min_y", "max_y")
        low_x, high_x, low_y, high_y = (torch.as_tensor(getattr(cameras, name)).to(R).reshape(-1) for name in names)
        scale = torch.as_tensor(cameras.scale_xyz).to(R).reshape(-1, 3)
        width, height = high_x - low_x, high_y - low_y
        focal = _pair(2 * scale[:, 0] / width, 2 * scale[:, 1] / height, like=R)
        centre, in_ndc = _pair(-(high_x + low_x) / width, -(high_y + low_y) / height, like=R), True
    projection: Projection = "perspective" if cameras.is_perspective() else "orthographic"
    size = _image_size(cameras, image_size)
    return Camera.from_pytorch3d(R, T, focal, centre, image_size=size, in_ndc=in_ndc, projection=projection, near=near)


def cameras_to_pytorch3d(camera: Camera, *, in_ndc: bool = True) -> Any:
    """``PerspectiveCameras`` or ``OrthographicCameras`` that put every point on the same pixel.

    Raises:
        ImportError: PyTorch3D is not installed. ``camera.to_pytorch3d()`` gives the arguments without it.
    """
    from pytorch3d.renderer import OrthographicCameras, PerspectiveCameras

    make = PerspectiveCameras if camera.projection == "perspective" else OrthographicCameras
    return make(**camera.to_pytorch3d(in_ndc=in_ndc)._asdict(), device=camera.device)


def meshes_from_pytorch3d(meshes: Any) -> MeshBatch:
    """The meshes of a ``pytorch3d.structures.Meshes`` with their textures; differentiable in both.

    ``TexturesVertex`` become vertex colours, ``TexturesUV`` a material with a texture (linear, border clamped). Values
    are taken as they are: PyTorch3D does not say whether its colours are linear.

    Raises:
        ValueError: ``TexturesAtlas``, or vertex features that are not RGB.
    """
    textures = getattr(meshes, "textures", None)
    looks = [{}] * len(meshes.verts_list()) if textures is None else _looks(textures)
    pairs = zip(meshes.verts_list(), meshes.faces_list(), looks, strict=True)
    return MeshBatch([Mesh(vertices, faces, **look) for vertices, faces, look in pairs])


def meshes_to_pytorch3d(meshes: Mesh | MeshBatch) -> Any:
    """A ``pytorch3d.structures.Meshes`` of one mesh, of each entry of its batch, or of a :class:`MeshBatch`.

    Vertex colours and base colours become ``TexturesVertex``, textures ``TexturesUV``; a batch has one kind.

    Raises:
        ImportError: PyTorch3D is not installed.
        ValueError: face colours, or textures on some meshes only.
    """
    from pytorch3d.structures import Meshes

    if isinstance(meshes, Mesh):
        if any(isinstance(value, Tensor) and value.ndim > 2 for value in meshes.appearance.values()):
            raise ValueError("mesh: expected one uv and one set of colours for the batch; make a MeshBatch of several")
        all_vertices = meshes.vertices.reshape(-1, meshes.num_vertices, 3)
        one = [Mesh(vertices, meshes.faces, **meshes.appearance) for vertices in all_vertices]
    else:
        one = list(meshes)
    vertices, faces = [mesh.vertices for mesh in one], [mesh.faces for mesh in one]
    return Meshes(verts=vertices, faces=faces, textures=_textures_to_pytorch3d(one))


class PyTorch3DSettings(NamedTuple):
    """Arguments of ``RasterizationSettings`` (image_size, blur_radius) and ``BlendParams`` (the others)."""

    image_size: tuple[int, int]
    blur_radius: float
    sigma: float
    gamma: float
    background_color: tuple[float, ...]


def renderer_from_pytorch3d(
    raster_settings: Any, blend_params: Any = None, *, znear: float = 1.0, zfar: float = 100.0
) -> SoftRenderer:
    """The `SoftRenderer` that stands for PyTorch3D's ``RasterizationSettings`` and ``BlendParams`` (duck-typed).

    ``softmax_rgb_blend``: logistic in the squared distance, cut at ``blur_radius``; probabilistic; softmax over depth
    between ``znear`` and ``zfar``. Ours differs on purpose in three things: every face counts, not
    ``faces_per_pixel`` of them; outside a face, colour and depth are those of its closest point; and the background is
    not kept at a weight of 1e-10.

    Raises:
        ValueError: ``blur_radius`` 0, which is the hard renderer's.
    """
    if not raster_settings.blur_radius > 0:
        raise ValueError("raster_settings: expected a positive blur_radius; 0 is what HardRenderer draws")
    size = raster_settings.image_size
    side = size if isinstance(size, int) else min(size)
    sigma, gamma = getattr(blend_params, "sigma", 1e-4), getattr(blend_params, "gamma", 1e-4)
    background = getattr(blend_params, "background_color", (1.0, 1.0, 1.0))
    return SoftRenderer(
        from_softras(sigma, side, blur_radius=raster_settings.blur_radius),
        "probabilistic",
        gamma=gamma,
        eps=PYTORCH3D_EPS,
        blend="softmax",
        background=background if isinstance(background, Tensor) else tuple(background),
        near=znear,
        far=zfar,
    )


def renderer_to_pytorch3d(renderer: SoftRenderer, image_size: tuple[int, int]) -> PyTorch3DSettings:
    """``sigma``, ``gamma``, ``blur_radius`` and the rest, for PyTorch3D's classes; the inverse of the above.

    Raises:
        ValueError: another distribution than the logistic in the squared distance, another T-conorm than
            probabilistic, or coverage "outline", none of which PyTorch3D has.
    """
    d = renderer.distribution
    if (d.name, d.squared, renderer.t_conorm.name, renderer.coverage) != ("logistic", True, "probabilistic", "face"):
        came = f"{d.name}{' squared' if d.squared else ''}, {renderer.t_conorm.name}, {renderer.coverage}"
        raise ValueError(f"renderer: expected logistic squared, probabilistic, face, got {came}")
    unit = min(image_size) / 2
    sigma, radius = float(d.scale) / unit**2, d.support() ** 2 / unit**2
    return PyTorch3DSettings(image_size, radius, sigma, float(renderer.gamma), tuple(renderer.background.tolist()))


def _looks(textures: Any) -> list[dict[str, Any]]:
    if hasattr(textures, "verts_features_list"):
        features = textures.verts_features_list()
        if any(value.shape[-1] != 3 for value in features):
            raise ValueError(f"textures: expected RGB, got {features[0].shape[-1]} features a vertex")
        return [{"vertex_colours": value} for value in features]
    if not hasattr(textures, "maps_padded"):
        raise ValueError(f"textures: expected TexturesVertex or TexturesUV, got {type(textures).__name__}")
    made = []
    lists = textures.maps_padded(), textures.verts_uvs_list(), textures.faces_uvs_list()
    for image, uv, faces in zip(*lists, strict=True):
        material = Material(texture=image, texture_filter="linear", texture_wrap="clamp")
        if getattr(textures, "align_corners", True):
            # There uv 0 and 1 lie on the centres of the border texels, here on their outer sides.
            size = uv.new_tensor([image.shape[1], image.shape[0]])
            uv = (uv * (size - 1) + 0.5) / size
        made.append({"material": material, "uv": uv, "uv_faces": faces})
    return made


def _textures_to_pytorch3d(meshes: list[Mesh]) -> Any:
    if any(mesh.face_colours is not None for mesh in meshes):
        raise ValueError("face_colours: expected none, as PyTorch3D's Meshes have no place for them")
    if all(mesh.material is None and mesh.vertex_colours is None for mesh in meshes):
        return None
    from pytorch3d.renderer import TexturesUV, TexturesVertex

    materials = [mesh.material or Material() for mesh in meshes]
    textured = [material.texture is not None for material in materials]
    if not any(textured):
        colours = []
        for mesh, material in zip(meshes, materials, strict=True):
            own = torch.ones_like(mesh.vertices) if mesh.vertex_colours is None else mesh.vertex_colours
            colours.append(own * material.base_colour.to(own))
        return TexturesVertex(verts_features=colours)
    if not all(textured) or any(mesh.vertex_colours is not None for mesh in meshes):
        raise ValueError("meshes: expected textures on all meshes and no vertex colours beside them, or no texture")
    maps, uvs = [], []
    for mesh, material in zip(meshes, materials, strict=True):
        assert mesh.uv is not None
        assert material.texture is not None
        image = material.texture.to(mesh.vertices)
        size = mesh.uv.new_tensor([image.shape[1], image.shape[0]])
        maps.append(image * material.base_colour.to(image))
        uvs.append((mesh.uv * size - 0.5) / (size - 1).clamp(min=1))
    return TexturesUV(maps=maps, faces_uvs=[mesh.uv_faces for mesh in meshes], verts_uvs=uvs)


def _pair(x: Tensor, y: Tensor, *, like: Tensor) -> Tensor:
    return torch.stack(torch.broadcast_tensors(x, y), dim=-1).expand(like.shape[0], 2)


def _image_size(cameras: Any, image_size: tuple[int, int] | None) -> tuple[int, int]:
    own = getattr(cameras, "image_size", None)
    if image_size is not None:
        return image_size
    if own is None:
        raise ValueError("image_size: expected (height, width), as the cameras have none of their own")
    sizes = torch.as_tensor(own).reshape(-1, 2)
    if bool((sizes != sizes[0]).any()):
        raise ValueError(f"cameras: expected one image size, got {sizes.tolist()}")
    height, width = (int(value) for value in sizes[0].tolist())
    return height, width
