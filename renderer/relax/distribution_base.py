"""What every distribution shares: parameters, units, support radii and the registry of names."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.relax.elementary import magnitude
from renderer.relax.parameters import Scalar, as_number, as_parameter, check_eps, check_number

DISTRIBUTIONS: dict[str, type[Distribution]] = {}

DEFAULT_SUPPORT_EPS = 1e-6
# The radii come from rounded quantiles; F(-radius) <= eps has to hold all the same.
RADIUS_MARGIN = 1 + 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution(abc.ABC):
    """A distribution with its parameters; `renderer.relax.distribution` makes one by name.

    A subclass states its standard cdf F, density f and ln(1 − F) as functions of z = x / scale, or sign(x) x² / scale
    if squared, and the radii of its support in units of z.
    """

    scale: Scalar
    shape: Scalar | None = None
    shift: Scalar = 0.0
    squared: bool = False
    support_eps: float | None = None

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    has_shape: ClassVar[bool] = False
    has_shift: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if cls.name:
            DISTRIBUTIONS[cls.name] = cls

    def __post_init__(self) -> None:
        check_number("scale", self.scale, "a finite number > 0", lambda v: 0 < v < math.inf)
        if self.has_shape != (self.shape is not None):
            expected = "a finite number > 0" if self.has_shape else "None, as it has none"
            raise ValueError(f"shape: {self.name} expects {expected}, got {self.shape}")
        if self.shape is not None:
            check_number("shape", self.shape, "a finite number > 0", lambda v: 0 < v < math.inf)
        if not self.has_shift and (isinstance(self.shift, Tensor) or self.shift != 0):
            raise ValueError(f"shift: {self.name} expects 0, as it has none, got {self.shift}")
        check_number("shift", self.shift, "a finite number", math.isfinite)
        if self.support_eps is not None:
            check_eps("support_eps", self.support_eps)

    def cdf(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """F(z), the coverage at signed distance `x` in pixels; differentiable in `x`, scale, shape and shift."""
        return self._cdf(self._standardise(x))

    def pdf(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """dF/dx, the density per pixel: f(z) / scale, times 2 |x| if squared; differentiable as `cdf` is."""
        density = self._pdf(self._standardise(x)) / as_parameter(self.scale, x)
        return 2 * magnitude(x) * density if self.squared else density

    def log_survival(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """ln(1 − F(z)), precise also where F rounds to 0 or 1; −inf, with derivative 0, where F is exactly 1."""
        return self._log_survival(self._standardise(x))

    def support(self, eps: float | None = None) -> float:
        """Smallest radius ≥ 0 in pixels with `cdf(x)` ≤ eps for all x ≤ −radius.

        Faces farther away may be left out: each costs at most eps of coverage. `eps` None means the distribution's
        `support_eps`, and without that 1e-6. Bounded distributions give the radius of F = 0 for every eps, so nothing
        is lost; heavy tails (cauchy, reciprocal, levy_rev) reach some 1/eps or 1/eps² scales, or inf.

        Raises ValueError unless 0 < eps < 1.
        """
        return self._radius(self._outer_radius(self._eps(eps)))

    def inner_support(self, eps: float | None = None) -> float:
        """Smallest radius ≥ 0 in pixels with 1 − `cdf(x)` ≤ eps for all x ≥ radius; see `support`."""
        return self._radius(self._inner_radius(self._eps(eps)))

    def parameters(self, dtype: torch.dtype, device: torch.device | str) -> Float[Tensor, "3"]:
        """Scale, shape (0 where there is none) and shift as one tensor, differentiable in those that are tensors."""
        like = torch.empty((), dtype=dtype, device=device)
        shape = 0.0 if self.shape is None else self.shape
        return torch.stack([as_parameter(value, like) for value in (self.scale, shape, self.shift)])

    def _standardise(self, x: Tensor) -> Tensor:
        return (x * magnitude(x) if self.squared else x) / as_parameter(self.scale, x)

    def _eps(self, eps: float | None) -> float:
        if eps is not None:
            return check_eps("eps", eps)
        return DEFAULT_SUPPORT_EPS if self.support_eps is None else self.support_eps

    def _radius(self, z: float) -> float:
        radius = max(z, 0.0) * RADIUS_MARGIN * as_number(self.scale)
        return math.sqrt(radius) if self.squared else radius

    @abc.abstractmethod
    def _cdf(self, z: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _pdf(self, z: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _log_survival(self, z: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _outer_radius(self, eps: float) -> float:
        """−F⁻¹(eps), in units of z."""

    @abc.abstractmethod
    def _inner_radius(self, eps: float) -> float:
        """F⁻¹(1 − eps), in units of z."""
