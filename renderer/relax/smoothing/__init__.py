"""Smoothing without a closed form: score-function estimators, perturbed optimisers, distributions through networks."""

from renderer.relax.smoothing.noise import NOISES
from renderer.relax.smoothing.perturbed import fenchel_young_loss, perturbed_argmax
from renderer.relax.smoothing.propagation import Propagated, propagate
from renderer.relax.smoothing.score_function import smooth

__all__ = ["NOISES", "Propagated", "fenchel_young_loss", "perturbed_argmax", "propagate", "smooth"]
