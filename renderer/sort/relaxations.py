"""What relaxes a comparator: the probability F that its two values need not change places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from renderer.relax import DISTRIBUTIONS, Distribution, distribution
from renderer.relax.elementary import magnitude
from renderer.relax.parameters import as_number
from renderer.relax.symmetric import Symmetric

# The reciprocal of the sorting papers is ½(v/(2 + |v|) + 1), the core's at z = v/2.
UNITS = {"reciprocal": 0.5}
# Adaptive relaxation (ART): F = σ(βd/(|d| + ε)^λ), Petersen et al. 2021. Its slope at d = 0 is all but infinite.
LOGISTIC_PHI, PHI_POWER, PHI_EPS = "logistic_phi", 0.25, 1e-10
RELAXATIONS: tuple[str, ...] = (*DISTRIBUTIONS, LOGISTIC_PHI)
DEFAULT_BETA = 10.0


@dataclass(frozen=True)
class Relaxation:
    """F(βd) of the difference d = hi − lo; `beta` in units of the core distribution called `name`."""

    name: str
    beta: float
    shape: float = 0.0
    shift: float = 0.0

    def probability(self, d: Tensor) -> Tensor:
        """F, differentiable in d."""
        if self.name == LOGISTIC_PHI:
            return torch.sigmoid(self.beta * d / (magnitude(d) + PHI_EPS) ** PHI_POWER)
        return _standard(self.name, self.shape, self.shift).cdf(self.beta * d)

    def log_probability(self, d: Tensor) -> Tensor:
        """ln F, precise where F is small, too; of symmetric F, for which it is ln(1 − F(−βd)).

        Raises ValueError for an F that is not symmetric about 0.
        """
        if self.name == LOGISTIC_PHI:
            return torch.nn.functional.logsigmoid(self.beta * d / (magnitude(d) + PHI_EPS) ** PHI_POWER)
        if not issubclass(DISTRIBUTIONS[self.name], Symmetric):
            raise ValueError(f"distribution: expected a symmetric one, got {self.name!r}")
        return _standard(self.name, self.shape, self.shift).log_survival(-self.beta * d)


def _standard(name: str, shape: float, shift: float) -> Distribution:
    return distribution(name, scale=1.0, shape=shape if DISTRIBUTIONS[name].has_shape else None, shift=shift)


def relaxation(
    distribution: str | Distribution, *, beta: float | None = None, slope: float | None = None
) -> Relaxation:
    """The relaxation of a comparator called `distribution`: one of `RELAXATIONS`, or a distribution of the core.

    `beta` multiplies the difference of the two values, in the papers' units; `slope` is the steepness dF/dd at d = 0
    that it shall have instead, the same for every relaxation. Neither: β = 10, the papers' choice for five values. A
    `Distribution` brings its own sharpness, 1/scale, with its shape and shift.

    Raises ValueError for an unknown name, a number that is not positive and finite, beta together with slope, either
    together with a `Distribution`, and a slope for what has none at 0.

    >>> relaxation("logistic", slope=2.5)
    Relaxation(name='logistic', beta=10.0, shape=0.0, shift=0.0)
    """
    for name, value in (("beta", beta), ("slope", slope)):
        if value is not None and not (_is_number(value) and 0 < value < math.inf):
            raise ValueError(
                f"{name}: expected a finite number > 0, got {value!r} (to learn it, scale the values instead)"
            )
    if beta is not None and slope is not None:
        raise ValueError(f"beta, slope: expected one of them, got {beta} and {slope}")
    if isinstance(distribution, Distribution):
        return _of_distribution(distribution, beta, slope)
    aliases = {alias: cls.name for cls in DISTRIBUTIONS.values() for alias in cls.aliases}
    name = aliases.get(distribution, distribution)
    if name not in RELAXATIONS:
        raise ValueError(f"distribution: expected one of {', '.join(RELAXATIONS)}, got {distribution!r}")
    if name != LOGISTIC_PHI and DISTRIBUTIONS[name].has_shape:
        raise ValueError(f"distribution: {name} needs a shape: give renderer.relax.distribution({name!r}, shape=...)")
    unit = UNITS.get(name, 1.0)
    if slope is None:
        return Relaxation(name, unit * (DEFAULT_BETA if beta is None else beta))
    steepness = (
        0.0 if name == LOGISTIC_PHI else _standard(name, 0.0, 0.0).pdf(torch.zeros((), dtype=torch.float64)).item()
    )
    if steepness == 0:
        raise ValueError(f"slope: {name} has no slope at 0: give beta")
    return Relaxation(name, slope / steepness)


def _of_distribution(d: Distribution, beta: float | None, slope: float | None) -> Relaxation:
    if beta is not None or slope is not None:
        raise ValueError("beta, slope: expected None beside a Distribution, whose scale says it")
    if d.squared:
        raise ValueError("distribution: expected squared=False")
    for name, value in (("scale", d.scale), ("shape", d.shape), ("shift", d.shift)):
        if isinstance(value, Tensor):
            raise ValueError(
                f"{name}: expected a number in a sorting network, got a tensor (to learn it, scale the values)"
            )
    scale, shift = as_number(d.scale), as_number(d.shift)
    return Relaxation(d.name, 1 / scale, 0.0 if d.shape is None else as_number(d.shape), shift)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
