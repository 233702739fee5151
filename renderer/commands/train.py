"""`renderer train NAME`: the training experiments."""

import functools
import operator
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from renderer.experiments import EXPERIMENTS
from renderer.train.loop import CHECKPOINT, Precision, fit

# The types of this file are read by tyro, so it has them evaluated at once.
E = TypeVar("E")


@dataclass(frozen=True)
class Run(Generic[E]):
    """The settings of an experiment and of the training loop."""

    experiment: Annotated[E, tyro.conf.arg(name="")]
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")]
    """Folder for metrics.jsonl, results.json and the checkpoint; made if it is not there."""
    seed: int = 0
    """Of everything that is random."""
    resume: bool = False
    """Go on from the checkpoint in OUT, if there is one, to the same result."""
    overwrite: bool = False
    """Replace what an earlier run left in OUT."""
    evaluate_every: int = 0
    """Steps between evaluations; 0: only at the end."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    precision: Precision = "float32"
    """Of the network; losses stay in full precision."""
    device: str = "auto"
    """"auto" takes a GPU where there is one."""
    tensorboard: bool = False
    """Write TensorBoard's files, too."""
    quiet: bool = False
    """Show no progress bar."""

    def __call__(self) -> None:
        experiment: Any = self.experiment
        results = fit(
            experiment,
            steps=experiment.steps,
            out=self.out,
            seed=self.seed,
            resume=self.resume,
            overwrite=self.overwrite,
            evaluate_every=self.evaluate_every,
            checkpoint_every=self.checkpoint_every,
            log_every=self.log_every,
            precision=self.precision,
            device=self.device,
            tensorboard=self.tensorboard,
            progress=not self.quiet,
        )
        if os.environ.get("RANK", "0") == "0":
            for name, value in results.items():
                print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
            print(f"checkpoint: {self.out / CHECKPOINT}")


def _subcommands() -> Any:
    """One for each experiment, described as its class is."""
    kinds: list[Any] = [
        Annotated[Run[kind], tyro.conf.subcommand(name, prefix_name=False, description=kind.__doc__)]  # type: ignore[valid-type]
        for name, kind in EXPERIMENTS.items()
    ]
    # tyro makes subcommands of a union's members; one that is not shown keeps it a union if there is one experiment.
    kinds.append(Annotated[None, tyro.conf.Suppress])
    return Annotated[functools.reduce(operator.or_, kinds), tyro.conf.arg(name="")]


@dataclass(frozen=True)
class Train:
    """Train a network through an algorithm: one subcommand for each experiment.

    Several processes share a batch through `torchrun --nproc-per-node N -m renderer.cli train NAME …`.
    """

    run: _subcommands()  # type: ignore[valid-type]
    """Which one."""

    def __call__(self) -> None:
        self.run()
