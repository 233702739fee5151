"""How to train: preconditioning, optimisers, strategies, checkpoints. The training loop is `renderer.train.loop`."""

from renderer.train.adam_uniform import AdamUniform
from renderer.train.checkpoint import load_checkpoint, save_checkpoint
from renderer.train.isaac import Isaac, isaac_gradient
from renderer.train.large_steps import LargeSteps
from renderer.train.newton import NewtonLoss, inject_fisher
from renderer.train.split_step import split_step

__all__ = [
    "AdamUniform",
    "Isaac",
    "LargeSteps",
    "NewtonLoss",
    "inject_fisher",
    "isaac_gradient",
    "load_checkpoint",
    "save_checkpoint",
    "split_step",
]
