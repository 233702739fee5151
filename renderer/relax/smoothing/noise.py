"""The six noises of score-function estimators: how to draw them, and the score −∇ ln μ of their densities."""

from __future__ import annotations

import abc
import dataclasses
import math
import warnings
from typing import ClassVar

import torch
from torch import Tensor

NOISES: dict[str, Noise] = {}

# Uniform draws keep this far from 0 and 1, in units of the type's precision, so that every quantile is finite.
MARGIN = 0.5


@dataclasses.dataclass(frozen=True)
class Noise(abc.ABC):
    """A density μ of unit scale; `name` is its key in `NOISES`."""

    name: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        NOISES[cls.name] = cls()

    @abc.abstractmethod
    def quantile(self, u: Tensor) -> Tensor:
        """The inverse cdf, for u in (0, 1)."""

    @abc.abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """−d ln μ(x)/dx."""


class Gaussian(Noise):
    """Standard normal."""

    name = "gaussian"

    def quantile(self, u: Tensor) -> Tensor:
        return torch.special.ndtri(u)

    def score(self, x: Tensor) -> Tensor:
        return x


class Logistic(Noise):
    """μ = e^−x/(1 + e^−x)²."""

    name = "logistic"

    def quantile(self, u: Tensor) -> Tensor:
        return torch.logit(u)

    def score(self, x: Tensor) -> Tensor:
        return torch.tanh(0.5 * x)


class Gumbel(Noise):
    """μ = exp(−x − e^−x); its mean is 0.577…, not 0."""

    name = "gumbel"

    def quantile(self, u: Tensor) -> Tensor:
        return -torch.log(-torch.log(u))

    def score(self, x: Tensor) -> Tensor:
        return 1 - torch.exp(-x)


class Cauchy(Noise):
    """μ = 1/(π(1 + x²)); no mean."""

    name = "cauchy"

    def quantile(self, u: Tensor) -> Tensor:
        return torch.tan(math.pi * (u - 0.5))

    def score(self, x: Tensor) -> Tensor:
        return 2 * x / (1 + x * x)


class Laplace(Noise):
    """μ = e^−|x|/2."""

    name = "laplace"

    def quantile(self, u: Tensor) -> Tensor:
        return -torch.sign(u - 0.5) * torch.log1p(-2 * (u - 0.5).abs())

    def score(self, x: Tensor) -> Tensor:
        return torch.sign(x)


class Triangular(Noise):
    """μ = 1 − |x| on [−1, 1]; the variance of its score is infinite, so that many samples help less."""

    name = "triangular"

    def quantile(self, u: Tensor) -> Tensor:
        return torch.where(u < 0.5, torch.sqrt(2 * u) - 1, 1 - torch.sqrt(2 * (1 - u)))

    def score(self, x: Tensor) -> Tensor:
        return torch.sign(x) / (1 - x.abs())


def as_noise(name: str) -> Noise:
    """The noise of that name, ValueError for others."""
    if name not in NOISES:
        raise ValueError(f"distribution: expected one of {', '.join(NOISES)}, got {name!r}")
    return NOISES[name]


def uniform_draws(
    samples: int, shape: tuple[int, ...], like: Tensor, *, antithetic: bool, quasi: bool, seed: int
) -> Tensor:
    """Numbers (samples, *shape) in (0, 1), each uniform.

    `antithetic`: the second half is 1 − the first. `quasi`: a scrambled Sobol sequence over the elements of `shape`
    (`scipy.stats.qmc`), which has at most 21,201 of them.
    """
    drawn = samples // 2 if antithetic else samples
    generator = torch.Generator().manual_seed(seed)
    if quasi:
        from scipy.stats import qmc

        sequence = qmc.Sobol(math.prod(shape), scramble=True, rng=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about sample counts that are no power of two
            u = torch.from_numpy(sequence.random(drawn)).reshape(drawn, *shape)
    else:
        u = torch.rand((drawn, *shape), generator=generator, dtype=torch.float64)
    # In float64 until the quantile: 1 − u has to differ from 1 in the tail.
    u = u.clamp(torch.finfo(torch.float64).tiny, 1 - MARGIN * torch.finfo(torch.float64).eps)
    return (torch.cat([u, 1 - u]) if antithetic else u).to(like.device)


def draw(
    noise: Noise, samples: int, shape: tuple[int, ...], like: Tensor, *, antithetic: bool, quasi: bool, seed: int
) -> Tensor:
    """Noise (samples, *shape) of unit scale, of the type and device of `like`."""
    u = uniform_draws(samples, shape, like, antithetic=antithetic, quasi=quasi, seed=seed)
    largest = torch.finfo(like.dtype).max
    return noise.quantile(u).clamp(-largest, largest).to(like.dtype)
