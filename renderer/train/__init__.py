"""How to train: preconditioning, optimisers, checkpoints."""

from renderer.train.adam_uniform import AdamUniform
from renderer.train.checkpoint import load_checkpoint, save_checkpoint
from renderer.train.large_steps import LargeSteps

__all__ = ["AdamUniform", "LargeSteps", "load_checkpoint", "save_checkpoint"]
