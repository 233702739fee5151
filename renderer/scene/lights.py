"""Lights: what they are, and how much light they send to a point or to a direction of the surface.

Light is linear RGB in units in which a white matt surface that a light of colour 1 hits head-on shows 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer.scene.colours import Colour, as_colour, as_vector
from renderer.scene.errors import DataError

if TYPE_CHECKING:
    from renderer.scene.camera import Camera

Falloff = Literal["none", "inverse_square"]

SH_CONSTANTS = (
    0.5 / math.sqrt(math.pi),  # Y00
    math.sqrt(3 / (4 * math.pi)),  # Y1-1 y, Y10 z, Y11 x
    math.sqrt(15 / (4 * math.pi)),  # Y2-2 xy, Y2-1 yz, Y21 xz; halved for Y22 (x² - y²)
    math.sqrt(5 / (16 * math.pi)),  # Y20 (3z² - 1)
)
"""Normalisation of the real spherical harmonics of bands 0, 1 and 2."""

COSINE_BANDS = (1.0, 2 / 3, 1 / 4)
"""What a matt surface keeps of each band, relative to band 0: the cosine's own coefficients A_l / π."""

_Self = TypeVar("_Self", bound="_Light")


@dataclass(frozen=True, eq=False)
class _Light:
    """What all lights can do: be moved between devices and dtypes."""

    def to(self: _Self, *args: Any, **kwargs: Any) -> _Self:
        """A copy with every Tensor moved as by `Tensor.to`."""
        return self._mapped(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self: _Self) -> _Self:
        """The same light cut off from the autograd graph."""
        return self._mapped(Tensor.detach)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The Parameters that it was given."""
        return (v for f in fields(self) if isinstance(v := getattr(self, f.name), nn.Parameter))

    def _mapped(self: _Self, change: Any) -> _Self:
        tensors = {f.name: v for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        return replace(self, **{name: change(tensor) for name, tensor in tensors.items()})

    def _settle(self, **values: Tensor) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class AmbientLight(_Light):
    """The same light from everywhere: `colour` (3,) or (B, 3) linear RGB.

    >>> AmbientLight(0.3)
    """

    colour: Colour = 1.0

    def __post_init__(self) -> None:
        self._settle(colour=as_colour(self.colour, name="colour"))

    def irradiance(self, normals: Float[Tensor, "B *points 3"]) -> Float[Tensor, "B *points 3"]:
        """The light on a surface with these unit normals."""
        return _like(self.colour, normals).expand(normals.shape)


@dataclass(frozen=True, eq=False)
class DirectionalLight(_Light):
    """Parallel light, as from the sun.

    Args:
        to_light: (3,) or (B, 3), the direction from the surface to the light, in world axes; of any length but 0.
        colour: (3,) or (B, 3) linear RGB.

    >>> DirectionalLight((0.0, 1.0, 0.0), colour=0.7)
    """

    to_light: tuple[float, float, float] | Tensor = (0.0, 0.0, 1.0)
    colour: Colour = 1.0

    def __post_init__(self) -> None:
        direction = as_vector(self.to_light, name="to_light")
        if not bool((direction.detach() != 0).any(-1).all()):
            raise DataError("to_light: expected a direction, got 0 0 0")
        self._settle(to_light=direction, colour=as_colour(self.colour, name="colour"))

    def arriving(self, points: Float[Tensor, "B *points 3"]) -> tuple[Tensor, Tensor]:
        """The unit direction to the light and the light that arrives, at each point: both broadcast to (B, ..., 3)."""
        direction = _like(self.to_light, points)
        return direction / direction.norm(dim=-1, keepdim=True), _like(self.colour, points)


@dataclass(frozen=True, eq=False)
class PointLight(_Light):
    """Light from one point.

    Args:
        position: (3,) or (B, 3), in world units.
        colour: (3,) or (B, 3) linear RGB.
        falloff: "none", as bright at any distance; "inverse_square", the colour is that at distance 1.

    >>> PointLight((0.0, 2.0, 2.0), colour=4.0, falloff="inverse_square")
    """

    position: tuple[float, float, float] | Tensor = (0.0, 0.0, 0.0)
    colour: Colour = 1.0
    falloff: Falloff = "none"

    def __post_init__(self) -> None:
        if self.falloff not in ("none", "inverse_square"):
            raise DataError(f"falloff: expected 'none' or 'inverse_square', got {self.falloff!r}")
        position = as_vector(self.position, name="position")
        self._settle(position=position, colour=as_colour(self.colour, name="colour"))

    def arriving(self, points: Float[Tensor, "B *points 3"]) -> tuple[Tensor, Tensor]:
        """The unit direction to the light and the light that arrives, at each point.

        A point in the very place of the light gets none.
        """
        offset = _like(self.position, points) - points
        squared = (offset * offset).sum(-1, keepdim=True)
        apart = squared > 0
        squared = torch.where(apart, squared, 1.0)
        direction = torch.where(apart, offset, 0.0) * squared.rsqrt()
        colour = _like(self.colour, points)
        return direction, colour / squared if self.falloff == "inverse_square" else colour


@dataclass(frozen=True, eq=False)
class SphericalHarmonicsLight(_Light):
    """Soft light from all around, as spherical harmonics of bands 0 to 2.

    A matt surface sees an environment L(ω) = Σ c_lm Y_lm(ω) as Σ (A_l/π) c_lm Y_lm(n), A_l/π = 1, 2/3, 1/4, which
    these nine terms give to about 1 % for any light (Ramamoorthi and Hanrahan, SIGGRAPH 2001, eq. 10).

    Args:
        coefficients: (K, 3) or (B, K, 3), K = 1, 4 or 9, in the order Y00, Y1-1, Y10, Y11, Y2-2, ... Y22 (y, z, x;
            xy, yz, 3z² - 1, xz, x² - y²), linear RGB.

    >>> SphericalHarmonicsLight(nn.Parameter(torch.zeros(9, 3)))
    """

    coefficients: Float[Tensor, "*batch K 3"]

    def __post_init__(self) -> None:
        c = self.coefficients
        if not isinstance(c, Tensor) or not c.is_floating_point() or c.ndim < 2 or c.shape[-2:] not in _SH_SHAPES:
            came = tuple(c.shape) if isinstance(c, Tensor) else type(c).__name__
            raise DataError(f"coefficients: expected a float Tensor (1, 3), (4, 3) or (9, 3), got {came}")

    @classmethod
    def hemisphere(
        cls, sky: Colour, ground: Colour, *, up: tuple[float, float, float] | Tensor = (0.0, 1.0, 0.0)
    ) -> SphericalHarmonicsLight:
        """A surface that looks up sees `sky`, one that looks down `ground`, others their blend (1 + n·up)/2."""
        sky, ground, axis = as_colour(sky, name="sky"), as_colour(ground, name="ground"), as_vector(up, name="up")
        axis = axis / axis.norm()
        constant = (sky + ground) / 2 / SH_CONSTANTS[0]
        linear = (sky - ground) / 2 / (SH_CONSTANTS[1] * COSINE_BANDS[1])
        return cls(torch.cat([constant[None], axis[[1, 2, 0], None] * linear]))

    def irradiance(self, normals: Float[Tensor, "B *points 3"]) -> Float[Tensor, "B *points 3"]:
        """The light on a surface with these unit normals; can be negative where the coefficients say so."""
        count = self.coefficients.shape[-2]
        basis = spherical_harmonics(normals, count) * normals.new_tensor(_KEPT[:count])
        coefficients = self.coefficients.to(normals)
        if coefficients.ndim == 2:
            return basis @ coefficients
        return torch.einsum("b...k,bkc->b...c", basis, coefficients)


def spherical_harmonics(directions: Float[Tensor, "*batch 3"], count: int = 9) -> Float[Tensor, "*batch {count}"]:
    """The first 1, 4 or 9 real spherical harmonics at unit directions, orthonormal over the sphere."""
    x, y, z = directions.unbind(-1)
    c0, c1, c2, c20 = SH_CONSTANTS
    terms = [torch.full_like(x, c0)]
    if count > 1:
        terms += [c1 * y, c1 * z, c1 * x]
    if count > 4:
        terms += [c2 * x * y, c2 * y * z, c20 * (3 * z * z - 1), c2 * x * z, c2 / 2 * (x * x - y * y)]
    return torch.stack(terms, -1)


_SH_SHAPES = ((1, 3), (4, 3), (9, 3))
_KEPT = [COSINE_BANDS[band] for band in range(3) for _ in range(2 * band + 1)]

Light = AmbientLight | DirectionalLight | PointLight | SphericalHarmonicsLight


class Lights:
    """Some lights together; without any, everything is black.

    Example:
        >>> Lights(AmbientLight(0.3), DirectionalLight((0.4, 0.8, 0.5), colour=0.7))
    """

    def __init__(self, *lights: Light) -> None:
        for i, light in enumerate(lights):
            if not isinstance(light, _Light):
                raise DataError(f"lights[{i}]: expected a light of renderer.shading, got {type(light).__name__}")
        self._lights = tuple(lights)

    def __len__(self) -> int:
        return len(self._lights)

    def __getitem__(self, index: int) -> Light:
        return self._lights[index]

    def __iter__(self) -> Iterator[Light]:
        return iter(self._lights)

    def __repr__(self) -> str:
        return f"Lights({', '.join(type(light).__name__ for light in self._lights)})"

    def to(self, *args: Any, **kwargs: Any) -> Lights:
        """Copies with every Tensor moved as by `Tensor.to`."""
        return Lights(*(light.to(*args, **kwargs) for light in self))

    def parameters(self) -> Iterator[nn.Parameter]:
        """The Parameters among the lights' Tensors, for an optimiser."""
        return (parameter for light in self for parameter in light.parameters())

    @staticmethod
    def studio(up: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> Lights:
        """Sky, ground and a key light from above: a neutral picture of any object."""
        return Lights(
            SphericalHarmonicsLight.hemisphere((0.34, 0.38, 0.44), (0.16, 0.15, 0.15), up=up),
            DirectionalLight(_key_direction(up), colour=(0.62, 0.60, 0.56)),
        )

    @staticmethod
    def from_eye(camera: Camera) -> Lights:
        """A light from behind the camera and a fifth as much from everywhere: every visible surface is lit."""
        return Lights(AmbientLight(0.2), DirectionalLight(-camera.world_to_camera[..., 2, :3], colour=0.8))


def _key_direction(up: tuple[float, float, float]) -> Tensor:
    """Three quarters up, from a side that depends on the up direction alone."""
    axis = torch.tensor(up) / torch.tensor(up).norm()
    # The world axis that is least along `up`, and the one after it, span the horizon.
    side = torch.nn.functional.one_hot(axis.abs().argmin(), 3).to(axis)
    side = side - (side @ axis) * axis
    side = side / side.norm()
    return 0.75 * axis - 0.35 * side + 0.56 * torch.linalg.cross(side, axis)


def _like(value: Any, points: Tensor) -> Tensor:
    """A light's (3,) or (B, 3), in the dtype of (B, ..., 3) points and shaped to broadcast against them."""
    tensor: Tensor = value.to(points)
    if tensor.ndim == 1:
        return tensor
    return tensor.reshape(tensor.shape[0], *[1] * (points.ndim - 2), 3)
