"""Cameras: where they stand, what they see, and how points become pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene import conventions
from renderer.scene.errors import DataError
from renderer.scene.intrinsics import as_size, check_intrinsics, square_pixels
from renderer.scene.pose import FLIP_YZ, Vector, as_tensors, check_rigid, inverse_rigid, looking_at, orbiting

Projection = Literal["perspective", "orthographic"]

DEFAULT_NEAR = 0.01
"""Distance of the near plane in world units, for objects of about unit size seen from a few units away."""

DEFAULT_FOV = 45.0
"""Vertical field of view in degrees."""

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
"""The pose of a camera at the world's origin, as numbers: its Tensor takes the dtype and device of the rest."""


@dataclass(frozen=True, eq=False)
class Camera:
    """One camera, or a batch of cameras with the same image size.

    Camera axes are OpenCV's: x right, y down, z forward. Pixel (0, 0) covers 0..1 × 0..1 at the top left, so its centre
    is at (0.5, 0.5). A point (X, Y, Z) of camera space falls on the pixel position K (X/Z, Y/Z, 1) in perspective and
    K (X, Y, 1) in orthographic projection, where the focal lengths are pixels per world unit.

    Args:
        world_to_camera: (*batch, 4, 4) rigid matrices for column vectors.
        K: (*batch, 3, 3) intrinsics in pixels, [[fx, s, cx], [0, fy, cy], [0, 0, 1]]; batches broadcast.
        image_size: (height, width) in pixels.
        projection: ``"perspective"`` or ``"orthographic"``.
        near: what lies nearer along z, in world units, is not seen.

    Raises:
        DataError: a wrong shape or dtype, a number that is not finite, a pose that is not rigid.

    Differentiable in both matrices.

    Example:
        >>> camera = Camera.look_at((0.0, 0.0, 3.0), image_size=(256, 256))
        >>> camera.project(torch.zeros(1, 3))                    # tensor([[[128., 128., 3.]]])
    """

    world_to_camera: Float[Tensor, "*#batch 4 4"]
    K: Float[Tensor, "*#batch 3 3"]
    image_size: tuple[int, int]
    projection: Projection = "perspective"
    near: float = DEFAULT_NEAR

    def __post_init__(self) -> None:
        for name, matrix in (("world_to_camera", self.world_to_camera), ("K", self.K)):
            if not isinstance(matrix, Tensor) or not matrix.is_floating_point():
                came = f"Tensor of {matrix.dtype}" if isinstance(matrix, Tensor) else type(matrix).__name__
                raise DataError(f"{name}: expected a floating point Tensor, got {came}")
        if (self.K.dtype, self.K.device) != (self.world_to_camera.dtype, self.world_to_camera.device):
            expected = f"{self.world_to_camera.dtype} on {self.world_to_camera.device} as world_to_camera"
            raise DataError(f"K: expected {expected}, got {self.K.dtype} on {self.K.device}")
        check_rigid(self.world_to_camera, name="world_to_camera")
        check_intrinsics(self.K)
        if self.projection not in ("perspective", "orthographic"):
            raise DataError(f"projection: expected 'perspective' or 'orthographic', got {self.projection!r}")
        if not (math.isfinite(self.near) and self.near > 0):
            raise DataError(f"near: expected a positive distance, got {self.near}")
        self._settle(self.world_to_camera, self.K, as_size(self.image_size))

    def _settle(self, world_to_camera: Tensor, K: Tensor, image_size: tuple[int, int]) -> None:
        """Give both matrices the common batch shape."""
        try:
            batch = torch.broadcast_shapes(world_to_camera.shape[:-2], K.shape[:-2])
        except RuntimeError:
            expected, came = tuple(world_to_camera.shape[:-2]), tuple(K.shape[:-2])
            raise DataError(f"K: expected batch shape {expected} as world_to_camera, got {came}") from None
        object.__setattr__(self, "world_to_camera", world_to_camera.expand(*batch, 4, 4))
        object.__setattr__(self, "K", K.expand(*batch, 3, 3))
        object.__setattr__(self, "image_size", image_size)

    def _with(self, world_to_camera: Tensor, K: Tensor, image_size: tuple[int, int] | None = None) -> Camera:
        """The same kind of camera with other matrices, whose values are not checked."""
        camera = object.__new__(Camera)
        object.__setattr__(camera, "projection", self.projection)
        object.__setattr__(camera, "near", self.near)
        camera._settle(world_to_camera, K, image_size or self.image_size)
        return camera

    # -- batches and copies ------------------------------------------------------------------------------------------

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading dimensions; () for a single camera."""
        return tuple(self.K.shape[:-2])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of both matrices."""
        return self.K.dtype

    @property
    def device(self) -> torch.device:
        """The device of both matrices."""
        return self.K.device

    def __len__(self) -> int:
        if not self.batch_shape:
            raise TypeError("len() of a single camera: it has no batch dimension")
        return self.batch_shape[0]

    def __getitem__(self, index: Any) -> Camera:
        """The cameras at an index, slice, list or Tensor of indices into the batch dimensions."""
        if not self.batch_shape:
            raise IndexError("index into a single camera: it has no batch dimension")
        matrices = self.world_to_camera[index], self.K[index]
        if matrices[0].shape[-2:] != (4, 4):
            raise IndexError(f"index: expected at most {len(self.batch_shape)} batch dimensions, got {index!r}")
        return self._with(*matrices)

    def __iter__(self) -> Iterator[Camera]:
        return (self[i] for i in range(len(self)))

    @staticmethod
    def stack(cameras: Sequence[Camera]) -> Camera:
        """One batch of cameras of equal image size, projection, near plane and batch shape."""
        cameras = list(cameras)
        if not cameras:
            raise ValueError("cameras: expected at least one camera, got none")
        first = cameras[0]
        for i, camera in enumerate(cameras):
            for name in ("image_size", "projection", "near", "batch_shape"):
                if getattr(camera, name) != getattr(first, name):
                    expected, came = getattr(first, name), getattr(camera, name)
                    raise ValueError(f"cameras[{i}]: expected {name} {expected} as cameras[0], got {came}")
        return first._with(torch.stack([c.world_to_camera for c in cameras]), torch.stack([c.K for c in cameras]))

    def to(self, *args: Any, **kwargs: Any) -> Camera:
        """A copy with both matrices moved as by ``Tensor.to`` (dtype, device)."""
        return self._with(self.world_to_camera.to(*args, **kwargs), self.K.to(*args, **kwargs))

    def detach(self) -> Camera:
        """The same camera cut off from the autograd graph."""
        return self._with(self.world_to_camera.detach(), self.K.detach())

    def with_world_to_camera(self, world_to_camera: Float[Tensor, "*batch 4 4"]) -> Camera:
        """The same camera at another pose; the values are not checked, so a pose can be optimised without waiting."""
        if world_to_camera.shape[-2:] != (4, 4):
            raise DataError(f"world_to_camera: expected shape (..., 4, 4), got {tuple(world_to_camera.shape)}")
        return self._with(world_to_camera, self.K)

    def with_intrinsics(self, K: Float[Tensor, "*batch 3 3"]) -> Camera:
        """The same camera with other intrinsics; the values are not checked."""
        if K.shape[-2:] != (3, 3):
            raise DataError(f"K: expected shape (..., 3, 3), got {tuple(K.shape)}")
        return self._with(self.world_to_camera, K)

    def resize(self, size: float | tuple[int, int]) -> Camera:
        """The same view at another resolution: a new (height, width), or a factor for both (rounded to whole pixels).

        ``K`` is scaled by the exact ratio of the sizes, axis by axis, so that the picture stays the same.
        """
        height, width = self.image_size
        if isinstance(size, int | float):
            if not (math.isfinite(size) and size > 0):
                raise ValueError(f"size: expected a positive factor, got {size}")
            size = (max(1, round(height * size)), max(1, round(width * size)))
        size = as_size(size)
        scale = self.K.new_tensor([size[1] / width, size[0] / height, 1.0])
        return self._with(self.world_to_camera, self.K * scale.unsqueeze(-1), size)

    # -- points ------------------------------------------------------------------------------------------------------

    @property
    def camera_to_world(self) -> Float[Tensor, "*batch 4 4"]:
        """The inverse pose."""
        return inverse_rigid(self.world_to_camera)

    @property
    def centre(self) -> Float[Tensor, "*batch 3"]:
        """Where the camera stands, in world units."""
        return self.camera_to_world[..., :3, 3]

    def to_camera(self, points: Float[Tensor, "*points V 3"]) -> Float[Tensor, "*views V 3"]:
        """World points in camera axes (x right, y down, z forward), in world units.

        The leading dimensions of points and cameras broadcast; without any, the result has one, of size 1, because
        every raster op takes a batch.
        """
        if points.ndim < 2 or points.shape[-1] != 3:
            raise ValueError(f"points: expected shape (..., V, 3), got {tuple(points.shape)}")
        rotation, translation = self.world_to_camera[..., :3, :3], self.world_to_camera[..., :3, 3]
        # x, y and z each in one piece of memory, which the operations on single coordinates that follow read fast.
        planes = torch.einsum("...vj,...ij->...iv", points, rotation) + translation.unsqueeze(-1)
        moved = planes.transpose(-1, -2)
        return moved.unsqueeze(0) if moved.ndim == 2 else moved

    def to_pixels(self, camera_points: Float[Tensor, "*views V 3"]) -> Float[Tensor, "*views V 3"]:
        """Points in camera axes as pixel x, pixel y and depth (camera z).

        In perspective a point with z <= 0 has no image: its x and y are finite but mean nothing, and get no gradient
        through the division.
        """
        x, y, z = camera_points.unbind(-1)
        if self.projection == "perspective":
            seen = z > 0
            safe = torch.where(seen, z, 1)
            x, y = x / safe, y / safe
        K = self.K.unsqueeze(-3)
        u = K[..., 0, 0] * x + K[..., 0, 1] * y + K[..., 0, 2]
        v = K[..., 1, 1] * y + K[..., 1, 2]
        return torch.stack([*torch.broadcast_tensors(u, v, z)], dim=-1)

    def project(self, points: Float[Tensor, "*points V 3"]) -> Float[Tensor, "*views V 3"]:
        """World points as pixel x, pixel y and depth: :meth:`to_pixels` of :meth:`to_camera`, without clipping."""
        return self.to_pixels(self.to_camera(points))

    # -- constructors ------------------------------------------------------------------------------------------------

    @classmethod
    def perspective(
        cls,
        *,
        image_size: tuple[int, int],
        fov_y: float | Tensor = DEFAULT_FOV,
        focal: float | Tensor | None = None,
        principal_point: tuple[float, float] | Tensor | None = None,
        world_to_camera: Float[Tensor, "*batch 4 4"] | None = None,
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """A pinhole camera with square pixels, at the world's origin unless ``world_to_camera`` is given.

        Args:
            image_size: (height, width) in pixels.
            fov_y: vertical field of view in degrees, ignored when ``focal`` is given; (*batch) or a number.
            focal: focal length in pixels.
            principal_point: where the optical axis meets the image, (x, y) in pixels; the middle by default.
        """
        height, width = as_size(image_size)
        given = IDENTITY if world_to_camera is None else world_to_camera
        pose, fov, f = as_tensors(given, fov_y, 0.0 if focal is None else focal)
        if focal is None:
            if not bool(((fov > 0) & (fov < 180)).all()):
                raise ValueError(f"fov_y: expected degrees between 0 and 180, got {fov_y}")
            f = height / (2 * torch.tan(torch.deg2rad(fov) / 2))
        return cls(pose, square_pixels(f, principal_point, (height, width)), (height, width), "perspective", near)

    @classmethod
    def orthographic(
        cls,
        *,
        image_size: tuple[int, int],
        view_height: float | Tensor = 2.0,
        principal_point: tuple[float, float] | Tensor | None = None,
        world_to_camera: Float[Tensor, "*batch 4 4"] | None = None,
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """A camera with parallel rays and square pixels that sees ``view_height`` world units from top to bottom."""
        height, width = as_size(image_size)
        pose, extent = as_tensors(IDENTITY if world_to_camera is None else world_to_camera, view_height)
        if not bool((extent > 0).all()):
            raise ValueError(f"view_height: expected a positive length, got {view_height}")
        K = square_pixels(height / extent, principal_point, (height, width))
        return cls(pose, K, (height, width), "orthographic", near)

    @classmethod
    def look_at(
        cls,
        eye: Vector,
        target: Vector = (0.0, 0.0, 0.0),
        up: Vector = (0.0, 1.0, 0.0),
        *,
        image_size: tuple[int, int],
        fov_y: float | Tensor = DEFAULT_FOV,
        focal: float | Tensor | None = None,
        projection: Projection = "perspective",
        view_height: float | Tensor = 2.0,
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """A camera at ``eye`` with ``target`` in the middle of the image and ``up`` upwards, each (3,) or (*batch, 3).

        ``fov_y`` or ``focal`` set a perspective camera, ``view_height`` an orthographic one. Differentiable.
        """
        pose = looking_at(eye, target, up)
        return cls._at(pose, image_size, fov_y, focal, projection, view_height, near)

    @classmethod
    def orbit(
        cls,
        distance: float | Tensor,
        elevation: float | Tensor,
        azimuth: float | Tensor,
        *,
        image_size: tuple[int, int],
        target: Vector = (0.0, 0.0, 0.0),
        fov_y: float | Tensor = DEFAULT_FOV,
        focal: float | Tensor | None = None,
        projection: Projection = "perspective",
        view_height: float | Tensor = 2.0,
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """Cameras on a sphere around ``target``, y up; angles in degrees, numbers or Tensors (*batch).

        Azimuth 0 looks from +z, azimuth 90 from +x, elevation 90 from above. Differentiable.
        """
        pose = orbiting(distance, elevation, azimuth, target=target)
        return cls._at(pose, image_size, fov_y, focal, projection, view_height, near)

    @classmethod
    def _at(
        cls,
        pose: Tensor,
        image_size: tuple[int, int],
        fov_y: float | Tensor,
        focal: float | Tensor | None,
        projection: Projection,
        view_height: float | Tensor,
        near: float,
    ) -> Camera:
        if projection == "orthographic":
            return cls.orthographic(image_size=image_size, view_height=view_height, world_to_camera=pose, near=near)
        if projection != "perspective":
            raise DataError(f"projection: expected 'perspective' or 'orthographic', got {projection!r}")
        return cls.perspective(image_size=image_size, fov_y=fov_y, focal=focal, world_to_camera=pose, near=near)

    # -- other conventions -------------------------------------------------------------------------------------------

    @classmethod
    def from_opengl(
        cls, view: Float[Tensor, "*batch 4 4"], projection: Float[Tensor, "*batch 4 4"], *, image_size: tuple[int, int]
    ) -> Camera:
        """From OpenGL's view (axes x right, y up, z backward) and projection matrices, for column vectors."""
        size = as_size(image_size)
        K, perspective, near = conventions.from_opengl_projection(projection, image_size=size)
        kind: Projection = "perspective" if perspective else "orthographic"
        return cls(conventions.flip_axes(view, FLIP_YZ), K, size, kind, near)

    def to_opengl(self, *, far: float = 100.0) -> conventions.OpenGLCamera:
        """OpenGL's view and projection matrices; ``near`` to ``far`` becomes depth -1 to 1."""
        if not far > self.near:
            raise ValueError(f"far: expected more than near = {self.near}, got {far}")
        perspective = self.projection == "perspective"
        projection = conventions.opengl_projection(
            self.K, image_size=self.image_size, perspective=perspective, near=self.near, far=far
        )
        return conventions.OpenGLCamera(conventions.flip_axes(self.world_to_camera, FLIP_YZ), projection)

    @classmethod
    def from_pytorch3d(
        cls,
        R: Float[Tensor, "N 3 3"],
        T: Float[Tensor, "N 3"],
        focal_length: Float[Tensor, "N 2"],
        principal_point: Float[Tensor, "N 2"],
        *,
        image_size: tuple[int, int],
        in_ndc: bool = True,
        projection: Projection = "perspective",
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """From the arguments of PyTorch3D's cameras: row vectors x R + T, axes x left, y up, z forward.

        ``in_ndc`` says whether focal length and principal point are in normalised coordinates (-1 to 1 along the
        shorter side, x left, y up) or in pixels. ``renderer.interop.pytorch3d`` takes the camera objects themselves.
        """
        size = as_size(image_size)
        pose, K = conventions.from_pytorch3d(R, T, focal_length, principal_point, image_size=size, in_ndc=in_ndc)
        return cls(pose, K, size, projection, near)

    def to_pytorch3d(self, *, in_ndc: bool = True) -> conventions.PyTorch3DCamera:
        """The arguments of PyTorch3D's ``PerspectiveCameras`` or ``OrthographicCameras``; skew must be 0."""
        if bool((self.K[..., 0, 1] != 0).any()):
            raise ValueError("K: expected no skew, which PyTorch3D's focal lengths cannot express")
        batch = self.world_to_camera.reshape(-1, 4, 4), self.K.reshape(-1, 3, 3)
        return conventions.to_pytorch3d(*batch, image_size=self.image_size, in_ndc=in_ndc)

    @classmethod
    def from_blender_transforms(
        cls,
        transforms: Mapping[str, Any],
        *,
        image_size: tuple[int, int] | None = None,
        dtype: torch.dtype = torch.float32,
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """From the contents of a ``transforms.json``; see :func:`renderer.scene.transforms.parse_transforms`.

        ``image_size`` is needed where the file has no ``w`` and ``h``, as in NeRF's synthetic scenes.
        """
        from renderer.scene.transforms import parse_transforms

        pose, K, size = parse_transforms(transforms, image_size=image_size)
        return cls(pose.to(dtype), K.to(dtype), size, "perspective", near)

    def to_blender_transforms(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """The contents of a ``transforms.json``, one frame a camera, named ``0``, ``1``, ... unless names are given."""
        from renderer.scene.transforms import format_transforms

        return format_transforms(self, names)

    @classmethod
    def from_colmap(
        cls,
        quaternion: Float[Tensor, "*batch 4"],
        translation: Float[Tensor, "*batch 3"],
        params: Float[Tensor, "*batch P"],
        *,
        image_size: tuple[int, int],
        model: str = "PINHOLE",
        near: float = DEFAULT_NEAR,
    ) -> Camera:
        """From COLMAP's pose (quaternion w, x, y, z) and the parameters of PINHOLE (4) or SIMPLE_PINHOLE (3)."""
        pose, K = conventions.from_colmap(quaternion, translation, params, model)
        return cls(pose, K, as_size(image_size), "perspective", near)

    def to_colmap(self) -> conventions.ColmapCamera:
        """COLMAP's pose and PINHOLE parameters; not differentiable in the rotation. Skew must be 0."""
        if self.projection != "perspective" or bool((self.K[..., 0, 1] != 0).any()):
            raise ValueError("camera: expected a perspective camera without skew, as COLMAP's PINHOLE is")
        return conventions.to_colmap(self.world_to_camera, self.K)
