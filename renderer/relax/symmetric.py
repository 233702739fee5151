"""The symmetric distributions, and the hard step that they relax.

Branches are evaluated on harmless arguments where they are not taken, so that no NaN of theirs reaches a gradient.
Mirrors csrc/relax/distributions.h.
"""

from __future__ import annotations

import abc
import math

import scipy.special
import torch
from torch import Tensor

from renderer.relax.distribution_base import Distribution
from renderer.relax.elementary import LN2, magnitude, softplus


def _step(condition: Tensor, z: Tensor) -> Tensor:
    """1 where the condition holds, else 0; part of the graph, with derivative 0 in z."""
    return torch.where(condition, 1.0, 0.0).to(z.dtype) + 0 * torch.sign(z)


class Symmetric(Distribution):
    """A symmetric distribution states P(Z > t) ≤ ½ for t ≥ 0, relatively precise, and the rest follows."""

    @abc.abstractmethod
    def _tail(self, t: Tensor) -> Tensor: ...

    def _cdf(self, z: Tensor) -> Tensor:
        tail = self._tail(magnitude(z))
        return torch.where(z < 0, tail, 1 - tail)

    def _log_survival(self, z: Tensor) -> Tensor:
        tail = self._tail(magnitude(z))
        left, saturated = z < 0, (z >= 0) & (tail <= 0)
        right = torch.log(torch.where(left | saturated, 1.0, tail))
        return torch.where(saturated, -math.inf, torch.where(left, torch.log1p(-torch.where(left, tail, 0.0)), right))

    def _inner_radius(self, eps: float) -> float:
        return self._outer_radius(eps)


class Hard(Distribution):
    """F = 1[z > 0], the unperturbed test; derivative 0."""

    name = "hard"
    aliases = ("heaviside",)

    def _cdf(self, z: Tensor) -> Tensor:
        return _step(z > 0, z)

    def _pdf(self, z: Tensor) -> Tensor:
        return _step(z != z, z)

    def _log_survival(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, -math.inf, _step(z != z, z))

    def _outer_radius(self, eps: float) -> float:
        return 0.0

    def _inner_radius(self, eps: float) -> float:
        return 0.0


class Uniform(Symmetric):
    """F = (z + 1)/2 on [−1, 1]; variance 1/3."""

    name = "uniform"

    def _tail(self, t: Tensor) -> Tensor:
        return torch.clamp(0.5 * (1 - t), min=0)

    def _pdf(self, z: Tensor) -> Tensor:
        return 0.5 * _step(z.abs() <= 1, z)

    def _outer_radius(self, eps: float) -> float:
        return 1.0


class CubicHermite(Symmetric):
    """F = 3u² − 2u³ with u = (z + 1)/2 on [−1, 1]; variance 1/5."""

    name = "cubic_hermite"

    def _tail(self, t: Tensor) -> Tensor:
        u = torch.clamp(0.5 * (1 - t), min=0)
        return u * u * (3 - 2 * u)

    def _pdf(self, z: Tensor) -> Tensor:
        t = torch.clamp(magnitude(z), max=1)
        return 0.75 * (1 - t) * (1 + t)

    def _outer_radius(self, eps: float) -> float:
        return 1.0


class WignerSemicircle(Symmetric):
    """F = ½ + (z √(1−z²) + asin z)/π on [−1, 1]; variance 1/4."""

    name = "wigner_semicircle"

    def _tail(self, t: Tensor) -> Tensor:
        inside = t < 1
        h = torch.where(inside, 1 - t, 1.0)
        # The disk's segment of height h subtends a, and has the share (a − sin a)/(2π), summed as a series in a.
        a = 4 * torch.asin(torch.sqrt(0.5 * h))
        r = torch.ones_like(a)
        for k in range(31, 3, -2):
            r = 1 - a * a / (k * (k - 1)) * r
        return torch.where(inside, a**3 * r / (12 * math.pi), 0.0)

    def _pdf(self, z: Tensor) -> Tensor:
        t = magnitude(z)
        inside = t < 1
        square = torch.where(inside, (1 - t) * (1 + t), 1.0)
        return torch.where(inside, 2 / math.pi * torch.sqrt(square), 0.0)

    def _outer_radius(self, eps: float) -> float:
        return 1.0


class Gaussian(Symmetric):
    """F = Φ(z), the standard normal; variance 1."""

    name = "gaussian"

    def _tail(self, t: Tensor) -> Tensor:
        return 0.5 * torch.special.erfc(t * math.sqrt(0.5))

    def _pdf(self, z: Tensor) -> Tensor:
        return torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)

    def _log_survival(self, z: Tensor) -> Tensor:
        # To the right −z²/2 + ln(e^(z²/2) P(Z > z)), which goes on where the probability underflows.
        left = z < 0
        t = torch.where(left, 0.0, z)
        right = torch.log(0.5 * torch.special.erfcx(t * math.sqrt(0.5))) - 0.5 * t * t
        return torch.where(left, torch.log1p(-self._tail(magnitude(z))), right)

    def _outer_radius(self, eps: float) -> float:
        return -float(scipy.special.ndtri(eps))


class Laplace(Symmetric):
    """F = e^z / 2 for z < 0, mirrored; variance 2."""

    name = "laplace"

    def _tail(self, t: Tensor) -> Tensor:
        return 0.5 * torch.exp(-t)

    def _pdf(self, z: Tensor) -> Tensor:
        return 0.5 * torch.exp(-magnitude(z))

    def _log_survival(self, z: Tensor) -> Tensor:
        return torch.where(z < 0, torch.log1p(-self._tail(magnitude(z))), -z - LN2)

    def _outer_radius(self, eps: float) -> float:
        return -math.log(2 * eps)


class Logistic(Symmetric):
    """F = 1/(1 + e^−z); variance π²/3."""

    name = "logistic"

    def _tail(self, t: Tensor) -> Tensor:
        e = torch.exp(-t)
        return e / (1 + e)

    def _pdf(self, z: Tensor) -> Tensor:
        e = torch.exp(-magnitude(z))
        return e / (1 + e) ** 2

    def _log_survival(self, z: Tensor) -> Tensor:
        return -softplus(z)

    def _outer_radius(self, eps: float) -> float:
        return math.log1p(-eps) - math.log(eps)


class Gudermannian(Symmetric):
    """F = (2/π) atan e^z, the hyperbolic secant distribution; variance π²/4."""

    name = "gudermannian"
    aliases = ("hyperbolic_secant",)

    def _tail(self, t: Tensor) -> Tensor:
        return 2 / math.pi * torch.atan(torch.exp(-t))

    def _pdf(self, z: Tensor) -> Tensor:
        e = torch.exp(-magnitude(z))
        return 2 / math.pi * e / (1 + e * e)

    def _log_survival(self, z: Tensor) -> Tensor:
        # To the right ln tail = −z + ln(2/π) + ln(atan(e)/e), e = e^−z, which goes on where e underflows.
        e = torch.exp(-magnitude(z))
        small = e < 1e-6
        safe = torch.where(small, 1.0, e)
        ratio = torch.where(small, 1 - e * e / 3, torch.atan(safe) / safe)
        right = torch.log(ratio) + math.log(2 / math.pi) - z
        return torch.where(z < 0, torch.log1p(-self._tail(magnitude(z))), right)

    def _outer_radius(self, eps: float) -> float:
        return -math.log(math.tan(0.5 * math.pi * eps))


class Cauchy(Symmetric):
    """F = ½ + atan(z)/π; no variance."""

    name = "cauchy"

    def _tail(self, t: Tensor) -> Tensor:
        return torch.atan2(torch.ones_like(t), t) / math.pi

    def _pdf(self, z: Tensor) -> Tensor:
        return 1 / (math.pi * (1 + z * z))

    def _outer_radius(self, eps: float) -> float:
        return 1 / math.tan(math.pi * eps)


class Reciprocal(Symmetric):
    """F = ½ + z/(2(1 + |z|)); no variance."""

    name = "reciprocal"

    def _tail(self, t: Tensor) -> Tensor:
        return 0.5 / (1 + t)

    def _pdf(self, z: Tensor) -> Tensor:
        return 0.5 / (1 + magnitude(z)) ** 2

    def _outer_radius(self, eps: float) -> float:
        return 0.5 / eps - 1


class Optimal(Symmetric):
    """F = z + ½ on [−¼, ¼], tails 1/(16|z|); no variance.

    Among the relaxed comparators of this slope whose outputs never fall when an input grows, the one with the least
    error: 1/16 scale. Source: Petersen et al., "Monotonic Differentiable Sorting Networks", 2022.
    """

    name = "optimal"

    def _tail(self, t: Tensor) -> Tensor:
        far = t > 0.25
        return torch.where(far, 0.0625 / torch.where(far, t, 1.0), 0.5 - t)

    def _pdf(self, z: Tensor) -> Tensor:
        t = magnitude(z)
        far = t > 0.25
        return torch.where(far, 0.0625 / torch.where(far, t, 1.0) ** 2, _step(~far, z))

    def _outer_radius(self, eps: float) -> float:
        return 0.5 - eps if eps > 0.25 else 0.0625 / eps
