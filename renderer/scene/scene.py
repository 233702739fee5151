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
from renderer.scene.lights import Lights
from renderer.scene.mesh import Mesh
from renderer.scene.pose import upright_axes

if TYPE_CHECKING:
    from renderer.shading import HardRenderer, SoftRenderer

MARGIN = 1.06
"""The picture is this much larger than the bounding sphere."""

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

    Example:
        >>> scene = Scene.load("scenes/teapot")
        >>> image = scene.render(camera="test", soft=True)           # RGBA (8, 256, 256, 4)
    """

    parts: Sequence[Part | Mesh]
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    lights: Lights | None = None
    background: Colour = 0.0
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        if not len(self.parts):
            raise DataError("parts: expected at least one mesh, got none")
        parts = []
        for i, part in enumerate(self.parts):
            if isinstance(part, Mesh):
                eye = torch.eye(4, dtype=part.vertices.dtype, device=part.vertices.device)
                part = Part(f"mesh {i}", part, eye)
            parts.append(part)
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "cameras", dict(self.cameras))
        object.__setattr__(self, "background", as_colour(self.background, name="background"))
        upright_axes(self.up)
        if self.lights is None:
            object.__setattr__(self, "lights", Lights.studio(self.up))

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
        boxes = torch.stack([mesh.bounds for mesh in self.meshes])
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
        """
        vertices = torch.cat([mesh.vertices.detach().reshape(-1, 3) for mesh in self.meshes])
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
            soft: draw with `SoftRenderer` as it comes (uniform, half a pixel wide, by outline) instead of
                `HardRenderer`.
            renderer: draw with this one instead; its own background counts.
            lights: other lights than the scene's.

        Differentiable as the renderer is.
        """
        # The only arrow from here to the right: a scene knows how to be drawn.
        from renderer.shading import HardRenderer, SoftRenderer

        if renderer is None:
            if soft:
                renderer = SoftRenderer("uniform", scale=0.5, coverage="outline", background=self.background)
            else:
                renderer = HardRenderer(background=self.background)
        elif soft and not isinstance(renderer, SoftRenderer):
            raise ValueError(f"renderer: expected a SoftRenderer with soft=True, got {type(renderer).__name__}")
        view = camera if isinstance(camera, Camera) else self.camera(camera)
        return renderer(self.meshes, view, self.lights if lights is None else lights)
