"""`renderer render`: a picture or a turntable of a scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import imageio.v3 as iio
import numpy as np
import torch
import tyro
from torch import Tensor

from renderer.relax.distributions import distribution
from renderer.scene import AmbientLight, Camera, DirectionalLight, Lights, Scene
from renderer.scene.colours import as_colour
from renderer.scene.files import Part
from renderer.scene.material import Material, Normals
from renderer.scene.scene import FRAME_FOV
from renderer.shading import HardRenderer, SoftRenderer
from renderer.shading.soft_renderer import DEFAULT_GAMMA
from renderer.train.ranks import device_named
from renderer.viz.film import FILM_EXTENSIONS, check_film, write_film
from renderer.viz.image import to_uint8

PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
WITHOUT_ALPHA = (".jpg", ".jpeg", ".bmp", *FILM_EXTENSIONS)
DEFAULT_SIZE = (512, 512)
COMPRESSION: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95},
}
"""Pillow's own settings are for photographs: they blur the colour of edges."""


@dataclass(frozen=True)
class View:
    """Where the scene is seen from; with none of these, by the scene's first camera."""

    camera: str | None = None
    """Name of one of the scene's cameras."""
    index: int = 0
    """Which one, where that name stands for several cameras."""
    elevation: float | None = None
    """Degrees above the horizon, of a camera that frames the scene."""
    azimuth: float | None = None
    """Degrees around the up direction, of a camera that frames the scene."""
    distance: float | None = None
    """From the middle of the scene; the whole scene fits where left out."""
    fov: float | None = None
    """Vertical field of view in degrees, of a camera that frames the scene; 30 where left out."""
    orthographic: bool = False
    """Parallel rays."""

    def of(self, scene: Scene, size: tuple[int, int] | None) -> Camera:
        free = {name: getattr(self, name) for name in ("elevation", "azimuth", "distance", "fov")}
        asked = [name for name, value in free.items() if value is not None]
        asked += ["orthographic"] if self.orthographic else []
        if asked and self.camera is not None:
            raise ValueError(f"{asked[0]}: expected none beside the scene's camera {self.camera!r}")
        if asked or not (self.camera is not None or scene.cameras):
            if self.index:
                raise ValueError(f"index: expected 0 for a camera that frames the scene, got {self.index}")
            return self.around(scene, size or DEFAULT_SIZE)
        camera = scene.camera(self.camera)
        if camera.batch_shape:
            if not 0 <= self.index < len(camera):
                raise ValueError(f"index: expected 0 to {len(camera) - 1}, got {self.index}")
            camera = camera[self.index]
        elif self.index:
            raise ValueError(f"index: expected 0 for a single camera, got {self.index}")
        return camera if size is None else camera.resize(size)

    def around(self, scene: Scene, size: tuple[int, int], azimuth: Tensor | None = None) -> Camera:
        return scene.framed(
            elevation=20.0 if self.elevation is None else self.elevation,
            azimuth=(30.0 if self.azimuth is None else self.azimuth) if azimuth is None else azimuth,
            distance=self.distance,
            image_size=size,
            fov_y=FRAME_FOV if self.fov is None else self.fov,
            projection="orthographic" if self.orthographic else "perspective",
        )


@dataclass(frozen=True)
class Soft:
    """How soft; with --soft."""

    distribution: str = "uniform"
    """Any name of renderer.relax.DISTRIBUTIONS that needs no shape."""
    scale: float = 0.5
    """In pixels (pixels² with --squared)."""
    squared: bool = False
    """Perturb the squared distance."""
    t_conorm: str = "probabilistic"
    """Any name of renderer.relax.T_CONORMS that needs no parameter; for --coverage face."""
    coverage: Literal["outline", "face"] = "outline"
    """Distance to the outline of the whole, or to every face by itself."""
    gamma: float = DEFAULT_GAMMA
    """Softness in depth."""


@dataclass(frozen=True)
class Render:
    """Draw a scene or a mesh: a picture (.png, .jpg, ...), or a turntable film (.mp4, .gif).

    SCENE is a folder with a scene.toml, such a file, or a mesh (OBJ, PLY, STL, OFF, GLB). Light above 1 shows as 1.
    """

    scene: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SCENE")]
    """What to draw."""
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")]
    """The picture or film; its extension says which."""
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None
    """Pixels; the camera's own, or 512 512."""
    view: Annotated[View, tyro.conf.arg(name="")] = field(default_factory=View)
    light: Literal["scene", "studio", "eye", "none"] = "scene"
    """The scene's own, sky with a key light, light from the eye, or the plain colours."""
    to_light: Annotated[tuple[float, float, float] | None, tyro.conf.arg(metavar="X Y Z")] = None
    """Light from this direction instead, a third as strong from everywhere."""
    background: str = "scene"
    """The scene's own, #rrggbb, or "transparent"."""
    up: Annotated[tuple[float, float, float] | None, tyro.conf.arg(metavar="X Y Z")] = None
    """The direction that points upwards; the scene's own, or 0 1 0."""
    normals: Normals | None = None
    """Smooth or flat, for all meshes."""
    soft: bool = False
    """Draw with the soft renderer."""
    softness: Annotated[Soft, tyro.conf.arg(name="")] = field(default_factory=Soft)
    samples: int = 2
    """Each pixel is the mean of a square of samples this wide (hard only)."""
    frames: int = 60
    """Of a film, for one turn."""
    device: str = "cpu"
    """Where the pictures are drawn: "cpu", "cuda", or "auto" for a GPU where there is one."""

    def __call__(self) -> None:
        extension = self.out.suffix.lower()
        if extension not in (*PICTURE_EXTENSIONS, *FILM_EXTENSIONS):
            expected = ", ".join((*PICTURE_EXTENSIONS, *FILM_EXTENSIONS))
            raise ValueError(f"out: expected a name ending in {expected}, got {self.out.name}")
        for name, value in (("samples", self.samples), ("frames", self.frames), ("size", min(self.size or (1, 1)))):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if not self.out.parent.is_dir() or self.out.is_dir():
            raise ValueError(f"out: expected a file in a folder that exists, got {self.out}")
        if self.background == "transparent" and extension in WITHOUT_ALPHA:
            raise ValueError(f"background: expected a colour, as {extension} has no transparency")
        if self.to_light is not None and self.light != "scene":
            raise ValueError(f"light: expected none beside to_light, got {self.light!r}")
        if not self.soft and self.softness != Soft():
            raise ValueError("soft: expected --soft beside options of the soft renderer")
        where = device_named(self.device)
        scene = self._changed(Scene.load(self.scene)).to(where)
        try:
            with torch.no_grad():
                if extension in FILM_EXTENSIONS:
                    self._film(scene)
                else:
                    picture = self._picture(scene, self.view.of(scene, self.size))
                    # One named writer, so that what is written does not depend on which others are installed.
                    pixels = picture[..., :3] if extension in WITHOUT_ALPHA else picture
                    iio.imwrite(self.out, pixels, plugin="pillow", **COMPRESSION.get(extension, {}))
        except OSError as error:
            raise ValueError(f"out: {self.out} cannot be written ({error})") from None
        print(self.out)

    def _film(self, scene: Scene) -> None:
        size = self.size or DEFAULT_SIZE
        check_film(self.out, *size)
        if self.view.camera is not None:
            raise ValueError(f"camera: expected none for a turntable, got {self.view.camera!r}")
        if self.view.index:
            raise ValueError(f"index: expected 0 for a turntable, got {self.view.index}")
        start = 30.0 if self.view.azimuth is None else self.view.azimuth
        cameras = self.view.around(scene, size, start + 360.0 / self.frames * torch.arange(self.frames))

        def pictures() -> Iterator[np.ndarray]:
            for camera in cameras:
                yield self._picture(scene, camera)[..., :3]

        # Beside the place where it goes, so that a run that stops half way leaves no half film there.
        partial = self.out.with_name(f".{self.out.stem}.part{self.out.suffix}")
        try:
            write_film(partial, pictures())
            partial.replace(self.out)
        finally:
            partial.unlink(missing_ok=True)

    def _renderer(self, scene: Scene, camera: Camera) -> HardRenderer | SoftRenderer:
        background = scene.background if self.background == "scene" else self.background
        background = as_colour(0.0 if self.background == "transparent" else background, name="background")
        if not self.soft:
            return HardRenderer(background=background)
        soft = self.softness
        if soft.coverage == "outline" and soft.t_conorm != Soft.t_conorm:
            raise ValueError(f"t_conorm: expected none with --coverage outline, got {soft.t_conorm!r}")
        perturbation = distribution(soft.distribution, scale=soft.scale, squared=soft.squared)
        near, far = scene.depth_range(camera)
        return SoftRenderer(
            perturbation,
            soft.t_conorm,
            coverage=soft.coverage,
            gamma=soft.gamma,
            background=background,
            near=near,
            far=far,
        )

    def _picture(self, scene: Scene, camera: Camera) -> np.ndarray:
        """8-bit RGBA (H, W, 4), the alpha straight."""
        samples = 1 if self.soft else self.samples
        height, width = camera.image_size
        view = camera.resize((height * samples, width * samples))
        renderer = self._renderer(scene, camera)
        image = scene.render(camera=view, renderer=renderer, lights=self._lights(scene, camera))[0].cpu()
        image = image.unflatten(0, (height, samples)).unflatten(2, (width, samples)).mean((1, 3))
        colour, alpha = image[..., :3], image[..., 3:].clamp(0, 1)
        if self.background == "transparent":
            colour = colour / torch.where(alpha > 0, alpha, 1.0)
        else:
            alpha = torch.ones_like(alpha)
        parts = to_uint8(colour.clamp(0, 1)), to_uint8(alpha, encoding="linear")
        return np.concatenate(parts, axis=-1)

    def _lights(self, scene: Scene, camera: Camera) -> Lights | None:
        if self.to_light is not None:
            return Lights(AmbientLight(0.25), DirectionalLight(self.to_light, colour=0.75))
        if self.light == "studio":
            return Lights.studio(scene.up)
        if self.light == "eye":
            return Lights.from_eye(camera)
        return Lights(AmbientLight(1.0)) if self.light == "none" else None

    def _changed(self, scene: Scene) -> Scene:
        """The scene with the up direction and the normals that were asked for."""
        if self.up is not None:
            scene = replace(scene, up=self.up, lights=scene.lights if scene.has_own_lights else None)
        if self.normals is None:
            return scene
        parts = []
        for name, mesh, transform in scene.placed_parts:
            look = replace(mesh.material or Material(), normals=self.normals)
            parts.append(Part(name, mesh.with_appearance(material=look), transform))
        return replace(scene, parts=parts)
