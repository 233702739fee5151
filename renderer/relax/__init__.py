"""The relaxation core: perturb a quantity by a distribution, and take the expectation in closed form.

    F = distribution("logistic", scale=0.5)       # a face covers a pixel at signed distance x with probability F.cdf(x)
    S = t_conorm("probabilistic")                 # many faces together: S.reduce(F.cdf(x), dim=-1)

This package knows nothing about images.
"""

from renderer.relax import comparisons, smoothing
from renderer.relax.distributions import DISTRIBUTIONS, Distribution, distribution
from renderer.relax.program import Program, RelaxationWarning, RelaxError, index, relax
from renderer.relax.t_conorms import T_CONORMS, TConorm, t_conorm

__all__ = [
    "DISTRIBUTIONS",
    "T_CONORMS",
    "Distribution",
    "Program",
    "RelaxError",
    "RelaxationWarning",
    "TConorm",
    "comparisons",
    "distribution",
    "index",
    "relax",
    "smoothing",
    "t_conorm",
]
