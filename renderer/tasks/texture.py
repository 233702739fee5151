"""Texture and light of a known shape, from pictures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from renderer.ops import serial_torch
from renderer.raster.texture import texture
from renderer.scene.atlas import with_atlas
from renderer.scene.errors import DataError
from renderer.scene.lights import Lights, SphericalHarmonicsLight
from renderer.scene.material import Material
from renderer.scene.mesh import Mesh
from renderer.scene.views import has_test, load_views
from renderer.tasks.fill import fill_holes
from renderer.tasks.optimise import views_of_step
from renderer.tasks.picture_results import PICTURE_OUTPUTS, write_picture_results
from renderer.tasks.picture_scores import picture_scores
from renderer.tasks.run import Run, given_by
from renderer.tasks.surface_pixels import SurfacePixels, surface_pixels
from renderer.train.ranks import device_named

LIGHT_TERMS = 9
TEXTURE_STEP, LIGHT_STEP = 0.1, 0.01  # of Adam; the texture's is that of its logit
BRIGHTEST = 0.999  # quantile of the texture that becomes white at most, so that 8 bits hold all of it


@dataclass(frozen=True)
class TextureSettings:
    """What a texture depends on besides the data. Raises ValueError for a value out of range."""

    size: int = 512
    """Width and height of the texture in texels."""
    light: Literal["harmonics", "baked"] = "harmonics"
    """Spherical harmonics beside the texture, or no light: the colours as they are seen."""
    steps: int = 150
    """Steps of the fit."""
    views_per_step: int = 8
    """How many views each step looks at."""
    seed: int = 0
    """Seed of the order in which the steps look at the views."""
    film: Literal["mp4", "gif"] = "mp4"
    """Format of the turntable."""

    def __post_init__(self) -> None:
        for name, choices in (("light", ("harmonics", "baked")), ("film", ("mp4", "gif"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {getattr(self, name)!r}")
        for name, least in (("size", 16), ("steps", 1), ("views_per_step", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")


DEFAULT = TextureSettings()


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """The mesh with its texture, the light (None where it is baked in), what `metrics.json` says, and the folder."""

    mesh: Mesh
    lights: Lights | None
    metrics: dict[str, Any]
    folder: Path


@dataclass
class TextureFit:
    """Where a fit stands, for checkpoints. logit: of the texture (1, h, w, 3); light: (9, 3)."""

    logit: Tensor
    light: Tensor
    step: int = 0
    optimizer: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def to(self, device: torch.device | str) -> TextureFit:
        """A copy on a device; the optimiser moves its own tensors to those that it updates."""
        return dataclasses.replace(self, logit=self.logit.to(device), light=self.light.to(device))


@serial_torch()
def fit_texture(
    data: str | Path,
    mesh: str | Path | Mesh,
    out: str | Path,
    *,
    settings: TextureSettings = DEFAULT,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> TexturedMesh:
    """Fit texture and light of a known mesh to the RGBA pictures in the folder `data`; write the results to `out`.

    data: as `load_views` reads it, with colours; test views are scored and never fitted. mesh: a file or a mesh, in
    the world of the cameras; it gets a UV atlas where it has no texture coordinates. device: of the fit. It, resume,
    overwrite, progress, and what is raised: as for `reconstruct`.

    The picture of a matt surface is texture(uv) · light(n), n the normal, light the nine spherical harmonics that such
    a surface can tell apart (Ramamoorthi and Hanrahan, SIGGRAPH 2001). Both are known up to a common factor: the
    texture gets the largest that leaves it within [0, 1].

    >>> fit_texture("scenes/teapot", "scenes/teapot/mesh.ply", "run").metrics["result"]["test_psnr"]
    38.1
    """
    where = device_named(device)
    run = Run(Path(out), PICTURE_OUTPUTS, resume=resume, overwrite=overwrite)
    train = load_views(data, "train", images=True)
    test = load_views(data, "test", images=True) if has_test(data) else None
    shape = mesh.to("cpu") if isinstance(mesh, Mesh) else Mesh.load(mesh)
    optional = [tensor for tensor in (shape.uv, shape.uv_faces) if tensor is not None]
    given = [*given_by(train), shape.vertices, shape.faces, *optional]

    chosen = {**dataclasses.asdict(settings), "device": where.type}

    with run.opened(given, chosen) as state:
        with run.timed("atlas"):
            shape = unpainted(shape, settings)
        with run.timed("pixels"):
            pixels = surface_pixels(shape, train).to(where)
        if len(pixels.colours) == 0:
            raise DataError(f"{data}: no pixel shows the mesh: expected a mesh in the world of the cameras")
        fit = TextureFit(**state).to(where) if state else begin(pixels, settings)
        bar = tqdm(total=settings.steps, initial=fit.step, unit="step", disable=None if progress else True)
        with run.timed("fit"), bar:

            def after_step(fit: TextureFit) -> None:
                bar.update()
                bar.set_postfix(error=f"{fit.losses[-1]:.4f}", refresh=False)
                run.checkpoint(lambda: vars(fit))

            image, light = optimise_texture(fit, pixels, settings, after_step=after_step)
        with run.timed("scores"):
            made, lights = painted(shape, pixels, image, light, settings)
            metrics = {
                "result": picture_scores(made, lights, train, test),
                "data": {"folder": str(data), "train_views": len(train), "test_views": len(test) if test else 0},
                "settings": dataclasses.asdict(settings),
                "device": where.type,
            }
        with run.timed("files"), run.results() as folder:
            write_picture_results(
                folder, made, lights, train, test, metrics=metrics, losses=fit.losses, seconds=run.elapsed
            )
    return TexturedMesh(made, lights, metrics, run.folder)


def unpainted(mesh: Mesh, settings: TextureSettings) -> Mesh:
    """The mesh without colours, but with texture coordinates: its own, or those of an atlas."""
    mesh = mesh.with_appearance(material=None, vertex_colours=None, face_colours=None)
    return mesh if mesh.uv is not None else with_atlas(mesh, resolution=settings.size)


def painted(
    mesh: Mesh, pixels: SurfacePixels, image: Tensor, light: Tensor, settings: TextureSettings
) -> tuple[Mesh, Lights | None]:
    """The mesh with a texture whose unseen texels are filled, and the light; on the CPU."""
    image = fill_holes(image.cpu(), seen_texels(pixels, settings.size).cpu())
    lights = None if settings.light == "baked" else Lights(SphericalHarmonicsLight(light.cpu()))
    return mesh.with_appearance(material=Material(texture=image, texture_filter="mipmap")), lights


def begin(pixels: SurfacePixels, settings: TextureSettings) -> TextureFit:
    """A grey texture, and the light that explains the pixels best by least squares."""
    grey = pixels.colours.new_zeros(1, settings.size, settings.size, 3)
    if settings.light == "baked":
        return TextureFit(grey, pixels.colours.new_zeros(LIGHT_TERMS, 3))
    basis = unit_lights(pixels.normals).double()
    # Row by row, as it comes back from a checkpoint: products of matrices may round differently by layout.
    # On the CPU, whose solver takes a basis of lower rank: a box shows six normals.
    light = torch.linalg.lstsq(basis.cpu(), pixels.colours.cpu().double() / 0.5).solution.float().contiguous()
    return TextureFit(grey, light.to(grey))


def unit_lights(normals: Float[Tensor, "M 3"]) -> Float[Tensor, "M 9"]:
    """What a white surface shows of each spherical harmonic with coefficient 1."""
    one = torch.eye(LIGHT_TERMS, dtype=normals.dtype, device=normals.device)
    terms = [SphericalHarmonicsLight(one[:, i : i + 1].expand(-1, 3)).irradiance(normals) for i in range(LIGHT_TERMS)]
    return torch.stack([term[:, 0] for term in terms], -1)


def optimise_texture(
    fit: TextureFit,
    pixels: SurfacePixels,
    settings: TextureSettings,
    *,
    after_step: Callable[[TextureFit], None] = lambda fit: None,
) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "9 3"]]:
    """Texture in [0, 1] and light coefficients; `fit` is updated after every step.

    The loss is the mean absolute difference of the pixels' colours, which shadows and highlights bend less than the
    squared one. `after_step` may stop by raising.
    """
    logit, light = fit.logit.clone().requires_grad_(), fit.light.clone().requires_grad_()
    lit = settings.light == "harmonics"
    groups = [{"params": [logit], "lr": TEXTURE_STEP}] + ([{"params": [light], "lr": LIGHT_STEP}] if lit else [])
    optimizer = torch.optim.Adam(groups)
    if fit.optimizer:
        optimizer.load_state_dict(fit.optimizer)
    count = len(pixels.starts) - 1
    for step in range(fit.step, settings.steps):
        some = pixels.of_views(views_of_step(count, settings.views_per_step, step, seed=settings.seed).tolist())
        # Down to nearly 0 along a cosine.
        cooling = 0.5 * (1 + math.cos(math.pi * step / settings.steps)) + 0.01
        for group, size in zip(optimizer.param_groups, (TEXTURE_STEP, LIGHT_STEP), strict=False):
            group["lr"] = size * cooling
        colour = look_up(logit.sigmoid(), some)
        if lit:
            colour = colour * SphericalHarmonicsLight(light).irradiance(some.normals)
        loss = (colour - some.colours).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        fit.losses.append(float(loss.detach()))
        fit.step, fit.logit, fit.light = step + 1, logit.detach(), light.detach()
        fit.optimizer = optimizer.state_dict()
        after_step(fit)
    image = fit.logit.sigmoid()[0]
    if not lit:
        return image, fit.light
    brightest = torch.quantile(image[seen_texels(pixels, settings.size) > 0].amax(-1), BRIGHTEST)
    return (image / brightest).clamp(max=1.0), fit.light * brightest


def look_up(image: Float[Tensor, "1 h w 3"], pixels: SurfacePixels) -> Float[Tensor, "M 3"]:
    """The texture at each pixel, mipmapped."""
    uv, slopes = pixels.uv[None, None], pixels.slopes[None, None]
    return texture(image, uv, uv_derivatives=slopes, filter="mipmap")[0, 0]


def seen_texels(pixels: SurfacePixels, size: int) -> Float[Tensor, "h w"]:
    """How much the pixels read of each texel."""
    image = pixels.uv.new_zeros(1, size, size, 1).requires_grad_()
    uv, slopes = pixels.uv[None, None], pixels.slopes[None, None]
    read = texture(image, uv, uv_derivatives=slopes, filter="mipmap")
    return torch.autograd.grad(read.sum(), image)[0][0, ..., 0]
