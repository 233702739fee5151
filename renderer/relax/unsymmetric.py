"""The unsymmetric distributions: Gumbel's two, and the one-sided ones with their mirror images.

Branches are evaluated on harmless arguments where they are not taken, so that no NaN of theirs reaches a gradient.
Mirrors csrc/relax/distributions.h.
"""

from __future__ import annotations

import abc
import math
from typing import ClassVar

import scipy.special
import torch
from torch import Tensor

from renderer.relax.distribution_base import Distribution
from renderer.relax.elementary import LN2, log1mexp, one_minus_exp
from renderer.relax.gamma import log_gamma_density, log_gamma_probability
from renderer.relax.parameters import Scalar, as_number, as_parameter

# Where w = exp(|z|) exceeds exp of this, exp(-w) is 0 in every precision; w must not become inf in a gradient.
GUMBEL_LIMIT = 80.0
# exp(-1/(2y)) is 0 in every precision for y below this.
LEVY_LIMIT = 1e-4


class GumbelMax(Distribution):
    """F = exp(−e^−z), the limit law of maxima; variance π²/6."""

    name = "gumbel_max"

    def _cdf(self, z: Tensor) -> Tensor:
        return torch.exp(-torch.exp(-torch.clamp(z, min=-GUMBEL_LIMIT)))

    def _pdf(self, z: Tensor) -> Tensor:
        w = torch.exp(-torch.clamp(z, min=-GUMBEL_LIMIT))
        return w * torch.exp(-w)

    def _log_survival(self, z: Tensor) -> Tensor:
        # With w = e^−z: ln w + ln((1 − e^−w)/w) to the right, where w may underflow, and ln(1 − e^−w) to the left.
        right = z > -math.log(LN2)
        w = torch.exp(-torch.where(right, z, 0.0))
        tiny = w < 1e-6
        safe = torch.where(tiny, 1.0, w)
        log_ratio = torch.where(tiny, -0.5 * w, torch.log(-torch.expm1(-safe) / safe))
        v = torch.exp(-torch.clamp(torch.where(right, 0.0, z), min=-GUMBEL_LIMIT))
        return torch.where(right, log_ratio - z, torch.log1p(-torch.exp(-v)))

    def _outer_radius(self, eps: float) -> float:
        return math.log(-math.log(eps))

    def _inner_radius(self, eps: float) -> float:
        return -math.log(-math.log1p(-eps))


class GumbelMin(Distribution):
    """F = 1 − exp(−e^z), the mirror image of gumbel_max; variance π²/6."""

    name = "gumbel_min"

    def _cdf(self, z: Tensor) -> Tensor:
        return one_minus_exp(torch.exp(torch.clamp(z, max=GUMBEL_LIMIT)))

    def _pdf(self, z: Tensor) -> Tensor:
        w = torch.exp(torch.clamp(z, max=GUMBEL_LIMIT))
        return w * torch.exp(-w)

    def _log_survival(self, z: Tensor) -> Tensor:
        inside = z < math.log(torch.finfo(z.dtype).max)
        return torch.where(inside, -torch.exp(torch.where(inside, z, 0.0)), -math.inf)

    def _outer_radius(self, eps: float) -> float:
        return -math.log(-math.log1p(-eps))

    def _inner_radius(self, eps: float) -> float:
        return math.log(-math.log(eps))


class OneSided(Distribution):
    """A distribution of Y > 0, met at y = z + shift, or as its mirror image −Y, at y = shift − z, if `mirrored`.

    A subclass states the probability below and above y, their logarithms, the density, and the two quantiles.
    """

    has_shift = True
    mirrored: ClassVar[bool] = False

    def _cdf(self, z: Tensor) -> Tensor:
        y, inside, above = self._locate(z)
        if self.mirrored:
            return torch.where(inside, self._upper(y), (~above).to(z.dtype))
        return torch.where(inside, self._lower(y), above.to(z.dtype))

    def _pdf(self, z: Tensor) -> Tensor:
        y, inside, _ = self._locate(z)
        return torch.where(inside, self._density(y), 0.0)

    def _log_survival(self, z: Tensor) -> Tensor:
        y, inside, above = self._locate(z)
        if self.mirrored:
            return torch.where(inside, self._log_lower(y), torch.where(above, 0.0, -math.inf))
        return torch.where(inside, self._log_upper(y), torch.where(above, -math.inf, 0.0))

    def _locate(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y where it is inside (0, inf) and 1 elsewhere, whether it is inside, and whether it is inf."""
        shift = as_parameter(self.shift, z)
        y = shift - z if self.mirrored else z + shift
        above = y == math.inf
        # Below the smallest normal number y counts as 0, as in the native code.
        inside = (y > torch.finfo(z.dtype).tiny) & ~above
        return torch.where(inside, y, 1.0), inside, above

    def _outer_radius(self, eps: float) -> float:
        shift = as_number(self.shift)
        return self._upper_quantile(eps) - shift if self.mirrored else shift - self._lower_quantile(eps)

    def _inner_radius(self, eps: float) -> float:
        shift = as_number(self.shift)
        return shift - self._lower_quantile(eps) if self.mirrored else self._upper_quantile(eps) - shift

    @abc.abstractmethod
    def _lower(self, y: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _upper(self, y: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _log_lower(self, y: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _log_upper(self, y: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _density(self, y: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _lower_quantile(self, eps: float) -> float:
        """The y with probability eps below it."""

    @abc.abstractmethod
    def _upper_quantile(self, eps: float) -> float:
        """The y with probability eps above it."""


class Exponential(OneSided):
    """F = 1 − e^−y for y = z + shift > 0; variance 1."""

    name = "exponential"

    def _lower(self, y: Tensor) -> Tensor:
        return one_minus_exp(y)

    def _upper(self, y: Tensor) -> Tensor:
        return torch.exp(-y)

    def _log_lower(self, y: Tensor) -> Tensor:
        return log1mexp(y)

    def _log_upper(self, y: Tensor) -> Tensor:
        return -y

    def _density(self, y: Tensor) -> Tensor:
        return torch.exp(-y)

    def _lower_quantile(self, eps: float) -> float:
        return -math.log1p(-eps)

    def _upper_quantile(self, eps: float) -> float:
        return -math.log(eps)


class ExponentialRev(Exponential):
    """F = e^(z − shift), at most 1, the mirror image of exponential; variance 1."""

    name = "exponential_rev"
    mirrored = True


class Gamma(OneSided):
    """F = P(p, y) for y = z + shift > 0, the regularised lower incomplete gamma function; variance p, the shape."""

    name = "gamma"
    has_shape = True

    def _lower(self, y: Tensor) -> Tensor:
        return torch.exp(self._log_lower(y))

    def _upper(self, y: Tensor) -> Tensor:
        return torch.exp(self._log_upper(y))

    def _log_lower(self, y: Tensor) -> Tensor:
        return log_gamma_probability(self._shape_like(y), y, upper=False)

    def _log_upper(self, y: Tensor) -> Tensor:
        return log_gamma_probability(self._shape_like(y), y, upper=True)

    def _density(self, y: Tensor) -> Tensor:
        return torch.exp(log_gamma_density(self._shape_like(y).double(), y.double())).to(y.dtype)

    def _lower_quantile(self, eps: float) -> float:
        return float(scipy.special.gammaincinv(as_number(self._shape_value), eps))

    def _upper_quantile(self, eps: float) -> float:
        return float(scipy.special.gammainccinv(as_number(self._shape_value), eps))

    @property
    def _shape_value(self) -> Scalar:
        assert self.shape is not None  # checked when the distribution was made
        return self.shape

    def _shape_like(self, y: Tensor) -> Tensor:
        return as_parameter(self._shape_value, y).expand(y.shape)


class GammaRev(Gamma):
    """F = Q(p, shift − z), the mirror image of gamma; variance p, the shape."""

    name = "gamma_rev"
    mirrored = True


class Levy(OneSided):
    """F = erfc √(1/(2y)) for y = z + shift > 0, the law of 1/N² with N standard normal; no mean."""

    name = "levy"

    def _lower(self, y: Tensor) -> Tensor:
        root, inside = self._root(y)
        return torch.where(inside, torch.special.erfc(root), 0.0)

    def _upper(self, y: Tensor) -> Tensor:
        root, inside = self._root(y)
        return torch.where(inside, torch.special.erf(root), 1.0)

    def _log_lower(self, y: Tensor) -> Tensor:
        # Left of 1 as −1/(2y) + ln(erfcx), which goes on where erfc underflows, until its slope 1/(2y²) overflows.
        left, vanished = y < 1, y < torch.finfo(y.dtype).tiny ** 0.45
        near = torch.where(left & ~vanished, y, 1.0)
        log_near = -0.5 / near + torch.log(torch.special.erfcx(torch.sqrt(0.5 / near)))
        log_far = torch.log1p(-torch.special.erf(torch.sqrt(0.5 / torch.where(left, 1.0, y))))
        return torch.where(vanished, -math.inf, torch.where(left, log_near, log_far))

    def _log_upper(self, y: Tensor) -> Tensor:
        root, inside = self._root(y)
        left = y < 1
        log_near = torch.log1p(-torch.special.erfc(torch.where(left, root, 1.0)))
        log_far = torch.log(torch.special.erf(torch.where(left, 1.0, root)))
        return torch.where(inside, torch.where(left, log_near, log_far), 0.0)

    def _density(self, y: Tensor) -> Tensor:
        inside = y > LEVY_LIMIT
        safe = torch.where(inside, y, 1.0)
        density = safe**-1.5 * torch.exp(-0.5 / safe) / math.sqrt(2 * math.pi)
        return torch.where(inside, density, 0.0)

    def _root(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """√(1/(2y)) where y exceeds `LEVY_LIMIT`, and whether it does."""
        inside = y > LEVY_LIMIT
        return torch.sqrt(0.5 / torch.where(inside, y, 1.0)), inside

    def _lower_quantile(self, eps: float) -> float:
        return 0.5 * (1 / float(scipy.special.erfcinv(eps))) ** 2

    def _upper_quantile(self, eps: float) -> float:
        inverse = 1 / float(scipy.special.erfinv(eps))
        return 0.5 * inverse * inverse


class LevyRev(Levy):
    """F = erf √(1/(2(shift − z))), at most 1, the mirror image of levy; no mean."""

    name = "levy_rev"
    mirrored = True
