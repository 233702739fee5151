"""The settings of a relaxed program, checked once."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import torch

from renderer.relax.comparisons import (
    EQUALITY_WINDOW,
    EXTREMA,
    Extremum,
    as_distribution,
    as_t_conorm,
    check_beta,
    check_window,
    is_standard_logistic,
)
from renderer.relax.distribution_base import Distribution
from renderer.relax.parameters import Scalar
from renderer.relax.t_conorms import TConorm

Semantics = Literal["merge", "path", "sample"]
Leftover = Literal["last", "renormalise", "raise"]
Window = float | Literal["sech2"]

DEFAULT_MAX_ITER = 1000


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a program is relaxed; `relax` documents each."""

    beta: Scalar
    distribution: str | Distribution = "logistic"
    semantics: Semantics = "merge"
    max_iter: int = DEFAULT_MAX_ITER
    leftover: Leftover = "last"
    eps: float | None = None
    t_conorm: str | TConorm = "probabilistic"
    extremum: Extremum = "logsumexp"
    window: Window = EQUALITY_WINDOW
    max_paths: int = 4096
    samples: int = 64

    def __post_init__(self) -> None:
        check_beta(self.beta)
        object.__setattr__(self, "distribution", as_distribution(self.distribution))
        object.__setattr__(self, "t_conorm", as_t_conorm(self.t_conorm))
        check_window(self.window)
        for name, choices in (
            ("semantics", get_args(Semantics)),
            ("leftover", get_args(Leftover)),
            ("extremum", EXTREMA),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name in ("max_iter", "max_paths", "samples"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected an int >= 1, got {value!r}")
        if self.eps is not None and not 0 <= self.eps < 1:
            raise ValueError(f"eps: expected a probability in [0, 1), got {self.eps}")

    @property
    def law(self) -> Distribution:
        """The perturbation, at unit scale."""
        assert isinstance(self.distribution, Distribution)
        return self.distribution

    @property
    def conorm(self) -> TConorm:
        assert isinstance(self.t_conorm, TConorm)
        return self.t_conorm

    @property
    def plain_logistic(self) -> bool:
        return is_standard_logistic(self.law)

    def stop_mass(self, dtype: torch.dtype) -> float:
        """A sample's loop stops once the probability that it goes on is at most this."""
        if self.eps is not None:
            return self.eps
        return 1e-12 if dtype == torch.float64 else 1e-6


SETTING_NAMES = tuple(field.name for field in dataclasses.fields(Settings))
