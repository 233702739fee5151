"""The training loop of every experiment: seeds, logs, checkpoints, interruption, several processes."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map
from tqdm import tqdm

from renderer.scene.errors import DataError
from renderer.train.checkpoint import load_checkpoint, save_checkpoint
from renderer.train.experiment import Experiment, settings_of
from renderer.train.interrupt import Stopped, deferred_signals
from renderer.train.metrics import FILE, Averages, MetricsFile
from renderer.train.ranks import Ranks, ranks
from renderer.train.seeds import own_randomness, seed_all

CHECKPOINT = "checkpoint.safetensors"
RESULTS = "results.json"
Precision = Literal["float32", "bfloat16"]


def fit(
    experiment: Experiment,
    *,
    steps: int,
    out: str | Path,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    evaluate_every: int = 0,
    checkpoint_every: int = 100,
    log_every: int = 10,
    precision: Precision = "float32",
    device: str = "auto",
    tensorboard: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Train, and return the final evaluation with "steps" and "seconds"; see `Experiment` for what is called when.

    out: gets metrics.jsonl (the mean of loss and metrics every `log_every` steps, scores every `evaluate_every` steps
    and at the end; 0: only there), checkpoint.safetensors (every `checkpoint_every` steps, when interrupted and at the
    end) and results.json. resume: go on from the checkpoint in `out`, if there is one, to the same bits on a CPU; more
    `steps` than before prolong a run. precision: of the network alone, "bfloat16" by autocast; losses stay in full
    precision. Under torchrun every process takes its part of the batch.

    Raises DataError (a folder in use, another run's checkpoint), ValueError (an argument out of range, a loss that is
    not finite), and Stopped, a KeyboardInterrupt, once a checkpoint is saved after Ctrl-C or SIGTERM.

    >>> fit(experiment, steps=1_000, out="run")["accuracy"]
    0.97
    """
    counts = {
        "steps": steps,
        "evaluate_every": evaluate_every,
        "checkpoint_every": checkpoint_every,
        "log_every": log_every,
    }
    for name, least in (("steps", 1), ("evaluate_every", 0), ("checkpoint_every", 1), ("log_every", 1)):
        if counts[name] < least:
            raise ValueError(f"{name}: expected at least {least}, got {counts[name]}")
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision: expected 'float32' or 'bfloat16', got {precision!r}")
    if resume and overwrite:
        raise ValueError("resume, overwrite: expected one of them, got both")
    folder = Path(out)
    with ranks(device) as here, own_randomness(here.device):
        # Without the number of steps, which may grow.
        settings = {name: value for name, value in settings_of(experiment).items() if name != "steps"}
        identity: dict[str, Any] = {"experiment": type(experiment).__name__, "settings": settings}
        identity |= {"seed": seed, "world": here.world, "precision": precision}
        saved = _saved(folder, identity, resume=resume, overwrite=overwrite)
        start, seconds, scores = (saved[name] for name in ("step", "seconds", "scores")) if saved else (0, 0.0, {})
        if start > steps:
            raise ValueError(f"steps: expected at least the {start} that are done, got {steps}")
        averages = Averages(saved.get("averages"))
        seed_all(seed)
        model = experiment.model().to(here.device)
        optimiser = experiment.optimiser(model)
        rates = [group["lr"] for group in optimiser.param_groups]
        if saved:
            model.load_state_dict(saved["model"])
            optimiser.load_state_dict(saved["optimiser"])
        here.wait()  # all have read the checkpoint before the first process changes the folder
        log: MetricsFile | None = None
        since = time.monotonic() - seconds
        called = _as_called(model, here, precision)

        with deferred_signals() as signalled, _bar(steps, start, progress and here.first) as bar:
            for step in range(start + 1, steps + 1):
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * experiment.schedule(step)
                averages.add(_step(experiment, called, optimiser, here, seed, step), here.device)
                bar.update()
                if log is None and here.first:  # only now, so that bad data leaves nothing behind
                    log = _log(folder, start, tensorboard)
                signal = here.largest(signalled())
                last = step == steps
                to_log, to_save = last or step % log_every == 0, last or signal or step % checkpoint_every == 0
                if to_log or to_save:
                    _check(averages.means(here)["loss"], step)
                if to_log:
                    means = averages.take(here)
                    bar.set_postfix({"loss": f"{means['loss']:.4g}"}, refresh=False)
                    if log is not None:
                        log.write(step, "train", means)
                if last or (evaluate_every and step % evaluate_every == 0):
                    scores = _evaluate(experiment, model, (seed, step)) if here.first else {}
                    if log is not None:
                        log.write(step, "evaluate", scores)
                if to_save and here.first:
                    content = {"step": step, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
                    content |= {"identity": identity, "averages": averages.sums, "scores": scores}
                    save_checkpoint(folder / CHECKPOINT, {**content, "seconds": time.monotonic() - since})
                if signal and not last:
                    raise Stopped(signal)
        results = {**scores, "steps": steps, "seconds": round(time.monotonic() - since, 3)}
        if log is not None:
            log.close()
        if here.first:
            (folder / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return results


def _step(
    experiment: Experiment, model: nn.Module, optimiser: torch.optim.Optimizer, here: Ranks, seed: int, step: int
) -> dict[str, Any]:
    """One update; the loss and the numbers beside it."""
    seed_all(seed, step)
    batch = experiment.batch(step, here.rank, here.world)
    batch = tree_map(lambda x: x.to(here.device, non_blocking=True) if isinstance(x, Tensor) else x, batch)
    seed_all(seed, step, here.rank)
    model.train()
    result = experiment.loss(model, batch)
    loss, numbers = result if isinstance(result, tuple) else (result, {})
    if loss.ndim:
        raise ValueError(f"loss: expected a number, got shape {tuple(loss.shape)}")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return {"loss": loss, **numbers}


@torch.no_grad()
def _evaluate(experiment: Experiment, model: nn.Module, seeds: tuple[int, ...]) -> dict[str, float]:
    seed_all(*seeds)
    model.eval()
    return {name: float(value) for name, value in experiment.evaluate(model).items()}


def _as_called(model: nn.Module, here: Ranks, precision: Precision) -> nn.Module:
    """The model as the loss calls it: distributed, and in its precision."""
    called = model
    if here.world > 1:
        called = DistributedDataParallel(model, device_ids=[here.device.index] if here.device.type == "cuda" else None)
    return Autocast(called) if precision == "bfloat16" else called


class Autocast(nn.Module):
    """Computes a network in bfloat16 where that is safe, by autocast, and returns float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """As the network itself."""
        device = next(self.model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16):
            result = self.model(*inputs, **options)
        return tree_map(lambda x: x.float() if isinstance(x, Tensor) and x.dtype == torch.bfloat16 else x, result)


def _saved(folder: Path, identity: dict[str, Any], *, resume: bool, overwrite: bool) -> dict[str, Any]:
    """The checkpoint to go on from, empty for a new run; DataError for a folder in use or another run's checkpoint."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected a folder for the results, found a file")
    path = folder / CHECKPOINT
    if resume and path.exists():
        saved = load_checkpoint(path)
        for name, value in identity.items():
            if saved.get("identity", {}).get(name) != value:
                raise DataError(f"{path}: made with {_difference(name, saved.get('identity', {}).get(name), value)}")
        return saved
    if not overwrite and not resume:
        for name in (CHECKPOINT, FILE, RESULTS):
            if (folder / name).exists():
                raise DataError(
                    f"{folder}: already holds {name}: give --resume to go on, or --overwrite to start again"
                )
    return {}


def _difference(name: str, before: Any, now: Any) -> str:
    """What differs between a checkpoint and this run, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        name, before, now = next(
            (key, before.get(key), now.get(key)) for key in (*now, *before) if before.get(key) != now.get(key)
        )
    return f"{name} {before!r}, not {now!r}: run with --overwrite, or as before"


def _log(folder: Path, start: int, tensorboard: bool) -> MetricsFile:
    """Make the folder, and clear away what an earlier run that does not go on has left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror})") from error
    log = MetricsFile(folder, after=start, tensorboard=tensorboard)
    for name in (RESULTS,) if start else (RESULTS, CHECKPOINT):
        (folder / name).unlink(missing_ok=True)
    return log


def _check(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise ValueError(f"loss: expected a finite number, got {loss} at or before step {step}")


def _bar(steps: int, start: int, progress: bool) -> tqdm:
    """None lets tqdm show it on terminals only."""
    return tqdm(total=steps, initial=min(start, steps), unit="step", disable=None if progress else True)
