"""A scene: several meshes where they stand, cameras, lights, and what is behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.camera import Camera, Projection
from renderer.scene.colours import Colour, as_colour
from renderer.scene.errors import DataError
from renderer.scene.files import Part, placed
from renderer.scene.intrinsics import as_size
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh
from renderer.scene.pose import upright_axes

if TYPE_CHECKING:
    from renderer.shading import HardRenderer, SoftRenderer

MARGIN = 1.06
"""The picture is this much larger than the bounding sphere."""

MIN_DEPTH = 0.01
"""Least depth of a scene for the soft renderer, as a share of its distance: a plane seen head-on has none."""

FRAME_FOV = 30.0
"""Vertical field of view in degrees of a camera that frames the scene: little distortion."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Meshes, cameras, lights and background.

    Args:
        parts: the meshes, each with a name and its transform to the world; or plain meshes.
        cameras: by name; the first is the default. Without any, the scene is framed as a whole.
        lights: by default sky, ground and a key light.
        background: linear RGB, (3,).
        up: the world direction that points upwards.

    Raises:
        DataError: one line naming the argument.

    Example:
        >>> scene = Scene.load("scenes/teapot")
        >>> image = scene.render(camera="test", soft=True)           # RGBA (8, 256, 256, 4)
    """

    parts: Sequence[Part | Mesh]
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    lights: Lights | None = None
    background: Colour = 0.0
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)
    has_own_lights: bool = field(init=False, default=True)
    """Whether the lights were given; those made up here depend on `up`."""

    def __post_init__(self) -> None:
        if isinstance(self.parts, Mesh | Part) or not isinstance(self.parts, Sequence):
            raise DataError(f"parts: expected a list of meshes, got {type(self.parts).__name__}")
        if not self.parts:
            raise DataError("parts: expected at least one mesh, got none")
        cameras = dict(self.cameras)
        for name, camera in cameras.items():
            if not isinstance(camera, Camera):
                raise DataError(f"cameras[{name!r}]: expected a Camera, got {type(camera).__name__}")
        if not isinstance(self.lights, Lights | None):
            raise DataError(f"lights: expected Lights(...) or None, got {type(self.lights).__name__}")
        background = as_colour(self.background, name="background")
        if background.ndim != 1:
            raise DataError(f"background: expected one colour, got shape {tuple(background.shape)}")
        upright_axes(self.up)
        object.__setattr__(self, "parts", tuple(_as_part(part, i) for i, part in enumerate(self.parts)))
        object.__setattr__(self, "cameras", cameras)
        object.__setattr__(self, "background", background)
        if self.lights is None:
            object.__setattr__(self, "lights", Lights.studio(self.up))
            object.__setattr__(self, "has_own_lights", False)

    @classmethod
    def load(cls, path: str | Path, *, dtype: torch.dtype = torch.float32) -> Scene:
        """Read a folder with a ``scene.toml``, such a file, a GLB with its cameras and lights, or any mesh file.

        See :mod:`renderer.scene.scene_file` for what a ``scene.toml`` can say.

        Raises:
            DataError: one line that names the file.
        """
        from renderer.scene.scene_file import load_scene

        return load_scene(path, dtype=dtype)

    def to(self, *args: Any, **kwargs: Any) -> Scene:
        """A copy with every Tensor moved as by ``Tensor.to``."""
        assert self.lights is not None
        return replace(
            self,
            parts=[Part(n, m.to(*args, **kwargs), t.to(*args, **kwargs)) for n, m, t in self.placed_parts],
            cameras={name: camera.to(*args, **kwargs) for name, camera in self.cameras.items()},
            lights=self.lights.to(*args, **kwargs),
            background=self.background.to(*args, **kwargs),
        )

    @property
    def placed_parts(self) -> tuple[Part, ...]:
        """The meshes with their names and transforms."""
        return tuple(part for part in self.parts if isinstance(part, Part))

    @property
    def meshes(self) -> list[Mesh]:
        """The meshes in world axes; differentiable in their vertices and transforms."""
        return [placed(part) for part in self.placed_parts]

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Lowest and highest corner of the axis-aligned box around everything."""
        boxes = torch.cat([mesh.bounds.reshape(-1, 2, 3) for mesh in self.meshes])
        return torch.stack([boxes[:, 0].amin(0), boxes[:, 1].amax(0)])

    # -- pictures ----------------------------------------------------------------------------------------------------

    def camera(self, name: str | None = None) -> Camera:
        """A camera of the scene, the first by default; without any, one that sees everything.

        Raises:
            ValueError: no camera of that name.
        """
        if name is None:
            return next(iter(self.cameras.values())) if self.cameras else self.framed()
        if name not in self.cameras:
            raise ValueError(f"camera: expected one of {', '.join(self.cameras) or 'none'}, got {name!r}")
        return self.cameras[name]

    def framed(
        self,
        *,
        elevation: float | Tensor = 20.0,
        azimuth: float | Tensor = 30.0,
        distance: float | None = None,
        image_size: tuple[int, int] = (512, 512),
        fov_y: float = FRAME_FOV,
        projection: Projection = "perspective",
    ) -> Camera:
        """A camera that looks at the middle of the scene from an elevation and an azimuth in degrees, upright.

        Azimuth 0 looks at the front, which for y up is seen along -z and for z up along y.

        Args:
            distance: from the middle, in world units; by default the bounding sphere just fits into the picture.

        Raises:
            ValueError: a distance that is not positive, a field of view outside 0 to 180 degrees, or no finite angle.
        """
        if not 0 < fov_y < 180:
            raise ValueError(f"fov_y: expected degrees between 0 and 180, got {fov_y}")
        if distance is not None and not 0 < distance < math.inf:
            raise ValueError(f"distance: expected a positive number, got {distance}")
        for name, angle in (("elevation", elevation), ("azimuth", azimuth)):
            if not bool(torch.isfinite(torch.as_tensor(angle)).all()):
                raise ValueError(f"{name}: expected finite degrees, got {angle}")
        image_size = as_size(image_size)
        vertices = torch.cat(
            [mesh.vertices.detach()[..., mesh.topology.used_vertices, :].reshape(-1, 3) for mesh in self.meshes]
        )
        centre = self.bounds.detach().mean(0)
        radius = float((vertices - centre).norm(dim=1).max()) or 1.0
        height, width = image_size
        half = math.radians(fov_y) / 2
        half = min(half, math.atan(math.tan(half) * width / height))
        fits = MARGIN * radius / math.sin(half)
        if distance is None:
            distance = fits if projection == "perspective" else 4.0 * radius
        right, upward, back = torch.tensor(upright_axes(self.up)).to(vertices)
        e, a = (torch.deg2rad(torch.as_tensor(v).to(vertices)).unsqueeze(-1) for v in (elevation, azimuth))
        direction = e.cos() * (a.sin() * right + a.cos() * back) + e.sin() * upward
        # Straight from above or below, what was up in the picture at a lower elevation still is.
        picture_up = e.cos() * upward - e.sin() * (a.sin() * right + a.cos() * back)
        return Camera.look_at(
            centre + distance * direction,
            centre,
            picture_up,
            image_size=image_size,
            fov_y=fov_y,
            projection=projection,
            view_height=2 * MARGIN * radius * max(1.0, height / width),
            near=max(1e-3 * distance, (distance - radius) / 2),
        )

    def depth_range(self, camera: Camera) -> tuple[float, float]:
        """Depths between which the scene lies for every camera of a batch, in world units, for `SoftRenderer`.

        From the nearest vertex (or the near plane) to twice as far beyond it as the farthest, so that softness in
        depth is a share of the scene's own extent, whatever its units.
        """
        depths = torch.cat([camera.to_camera(mesh.vertices.detach())[..., 2].reshape(-1) for mesh in self.meshes])
        near, farthest = max(camera.near, float(depths.min())), float(depths.max())
        return near, near + 2 * max(farthest - near, MIN_DEPTH * near)

    def render(
        self,
        *,
        camera: Camera | str | None = None,
        soft: bool = False,
        renderer: HardRenderer | SoftRenderer | None = None,
        lights: Lights | None = None,
    ) -> Float[Tensor, "B H W 4"]:
        """A picture by each camera: RGBA, linear RGB over the background, and coverage.

        Args:
            camera: a camera (or a batch), the name of one of the scene's, or None for the first.
            soft: draw with `SoftRenderer` (uniform, half a pixel wide, by outline, depths by `depth_range`) instead of
                `HardRenderer`.
            renderer: draw with this one instead; its own background counts.
            lights: other lights than the scene's.

        Differentiable as the renderer is.
        """
        # An arrow to the right, taken only when it is called: a scene knows how to be drawn.
        from renderer.shading import HardRenderer, SoftRenderer

        view = camera if isinstance(camera, Camera) else self.camera(camera)
        if renderer is None:
            if soft:
                near, far = self.depth_range(view)
                renderer = SoftRenderer(
                    "uniform", scale=0.5, coverage="outline", background=self.background, near=near, far=far
                )
            else:
                renderer = HardRenderer(background=self.background)
        elif soft and not isinstance(renderer, SoftRenderer):
            raise ValueError(f"renderer: expected a SoftRenderer with soft=True, got {type(renderer).__name__}")
        return renderer(self.meshes, view, self.lights if lights is None else lights)

    def _repr_png_(self) -> bytes:
        """What a notebook displays: the picture by the first camera, too bright light as white."""
        from renderer.viz.picture import picture

        image = self.render(camera=_first(self.camera()))[0, ..., :3]
        return picture(image.detach().clamp(0, 1))._repr_png_()


def _first(camera: Camera) -> Camera:
    return camera[0] if camera.batch_shape else camera


def _as_part(part: Part | Mesh, index: int) -> Part:
    if isinstance(part, Mesh):
        eye = torch.eye(4, dtype=part.vertices.dtype, device=part.vertices.device)
        return Part(f"mesh {index}", part, eye)
    if not isinstance(part, Part):
        raise DataError(f"parts[{index}]: expected a Mesh or Part, got {type(part).__name__}")
    if tuple(part.transform.shape) != (4, 4):
        raise DataError(f"parts[{index}].transform: expected shape (4, 4), got {tuple(part.transform.shape)}")
    return part
