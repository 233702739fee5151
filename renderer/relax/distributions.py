"""The 19 distributions by name; each is a class in `symmetric` or `unsymmetric`, and a struct in csrc/relax."""

from __future__ import annotations

from renderer.relax import symmetric, unsymmetric
from renderer.relax.distribution_base import DISTRIBUTIONS, Distribution
from renderer.relax.parameters import Scalar

__all__ = ["DISTRIBUTIONS", "Distribution", "distribution", "symmetric", "unsymmetric"]


def distribution(
    name: str,
    *,
    scale: Scalar,
    shape: Scalar | None = None,
    shift: Scalar = 0.0,
    squared: bool = False,
    support_eps: float | None = None,
) -> Distribution:
    """The distribution called `name`, one of `DISTRIBUTIONS` or an alias (heaviside, hyperbolic_secant).

    `scale` τ > 0 is in pixels, or in pixels² if `squared`, where sign(x) x² is perturbed in place of x; it is the
    textbook's own scale, not normalised to unit variance. `shape` > 0 belongs to gamma and gamma_rev, `shift`, in units
    of the scale, to the one-sided ones. Each may be a number, a tensor of shape () or an `nn.Parameter`, which then
    gets gradients. `support_eps` is the coverage that `support` may cut off, in (0, 1).

    Raises ValueError for an unknown name, and for a parameter that is out of range, missing or not taken.

    >>> distribution("logistic", scale=0.5).cdf(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([0.1192, 0.5000, 0.8808])
    """
    by_alias = {alias: cls for cls in DISTRIBUTIONS.values() for alias in cls.aliases}
    cls = DISTRIBUTIONS.get(name) or by_alias.get(name)
    if cls is None:
        raise ValueError(f"name: expected one of {', '.join(DISTRIBUTIONS)}, got {name!r}")
    return cls(scale=scale, shape=shape, shift=shift, squared=squared, support_eps=support_eps)
