"""A long task with a folder for its results: checkpoints, interruption, timing, results that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renderer.scene.errors import DataError
from renderer.scene.views import Views
from renderer.train.checkpoint import load_checkpoint, save_checkpoint
from renderer.train.interrupt import Stopped, deferred_signals
from renderer.train.ranks import ALONE, Ranks

CHECKPOINT = "checkpoint.safetensors"
PARTIAL = ".partial-"  # what the name of a folder with unfinished results begins with
CHECKPOINT_SECONDS = 2.0  # writing one takes some milliseconds


class Run:
    """The state of one task in `folder`: refuses a folder in use, saves and restores, and delivers the results.

    outputs: the names of the files that the task may write. here: the processes that share the task; the first alone
    reads and writes the folder, and all call `opened` and `checkpoint` alike. Raises DataError, one line naming the
    folder, if it holds an unfinished run (and neither resume nor overwrite is given) or results (and overwrite is not
    given).

    >>> run = Run(Path("run"), ("metrics.json",), resume=False, overwrite=False)
    """

    def __init__(
        self, folder: Path, outputs: tuple[str, ...], *, resume: bool, overwrite: bool, here: Ranks = ALONE
    ) -> None:
        if resume and overwrite:
            raise DataError("resume, overwrite: expected one of them, got both")
        self.folder, self.outputs, self.resume, self._here = folder, outputs, resume, here
        self._seconds: dict[str, float] = {}
        self._part: str | None = None
        self._since = 0.0
        self._saved = folder / CHECKPOINT
        self._fingerprint = ""
        self._last_checkpoint = time.monotonic()
        self._signalled: Callable[[], int] = lambda: 0
        here.from_first(lambda: self._check_folder(overwrite=overwrite))

    def _check_folder(self, *, overwrite: bool) -> None:
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: expected a folder for the results, found a file")
        if overwrite or (self.resume and self._saved.exists()):
            return
        if self._saved.exists():
            raise DataError(f"{folder}: holds an unfinished run: give --resume to go on, or --overwrite to start again")
        for name in self.outputs:
            if (folder / name).exists():
                raise DataError(f"{folder}: already holds {name}: give --overwrite to replace it, or another folder")

    @contextmanager
    def opened(self, given: Sequence[Tensor], settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Give the saved state, empty for a new run; signals wait for `checkpoint`; on success, remove the checkpoint.

        given: the data that the result depends on. Raises DataError if the checkpoint was made from other data,
        settings or versions.
        """
        self._fingerprint = fingerprint(given, settings)
        saved = self._here.from_first(self._load)
        self._seconds = saved["seconds"]
        with deferred_signals() as self._signalled:
            yield saved["state"]
        if self._here.first:
            self._saved.unlink(missing_ok=True)

    def _load(self) -> dict[str, Any]:
        if not (self.resume and self._saved.exists()):
            return {"state": {}, "seconds": {}}
        saved = load_checkpoint(self._saved)
        if saved.get("fingerprint") != self._fingerprint:
            raise DataError(f"{self._saved}: made from other data, settings or versions: run with --overwrite")
        return saved

    def checkpoint(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save, if the last time was a while ago or someone asked to stop, and in that case raise Stopped."""
        signal = self._here.largest(self._signalled())
        due = signal or time.monotonic() - self._last_checkpoint >= CHECKPOINT_SECONDS
        if due and self._here.first:
            self._make_folder()
            content = {"fingerprint": self._fingerprint, "state": state(), "seconds": self.elapsed()}
            save_checkpoint(self._saved, content)
            self._last_checkpoint = time.monotonic()
        if signal:
            raise Stopped(signal)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count the time that the block takes for `part`; blocks do not nest."""
        self._part, self._since = part, time.monotonic()
        try:
            yield
        finally:
            self.elapsed()
            self._part = None

    def elapsed(self) -> dict[str, float]:
        """Seconds by part so far, those before a resume included."""
        if self._part is not None:
            now = time.monotonic()
            self._seconds[self._part] = self._seconds.get(self._part, 0.0) + now - self._since
            self._since = now
        return dict(self._seconds)

    @contextmanager
    def results(self) -> Iterator[Path]:
        """A temporary folder whose files replace those of `outputs` in `folder` when the block ends well."""
        self._make_folder()
        for left_by_a_kill in self.folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self.folder))
        try:
            yield partial
            made = {file.name for file in partial.iterdir()}
            for name in self.outputs:
                if name in made:
                    os.replace(partial / name, self.folder / name)
                else:
                    (self.folder / name).unlink(missing_ok=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make_folder(self) -> None:
        """Only when there is something to write, so that bad data leaves nothing behind."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be made ({error.strerror})") from error


def fingerprint(given: Sequence[Tensor], settings: dict[str, Any]) -> str:
    """Tells apart whatever changes the result: data, settings, versions."""
    digest = hashlib.sha256()
    for tensor in given:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(json.dumps([settings, versions()], sort_keys=True).encode())
    return digest.hexdigest()


def given_by(views: Views) -> list[Tensor]:
    """What a result depends on of some views: masks, pictures where they were loaded, cameras."""
    camera = views.camera
    rest = torch.tensor([camera.near, float(camera.projection == "perspective")])
    colours = [] if views.images is None else [views.images]
    return [views.masks, *colours, camera.world_to_camera, camera.K, rest]


def versions() -> dict[str, str]:
    """Of what computes the result."""
    packages = {name: version(name) for name in ("renderer", "torch", "numpy", "scipy", "scikit-image")}
    return {**packages, "python": platform.python_version(), "machine": platform.machine()}
