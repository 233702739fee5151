"""Several processes share the views of a reconstruction (gloo)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from renderer.scene import Mesh, icosphere
from renderer.tasks.optimise import Fit, Stage, optimise
from renderer.tasks.run import CHECKPOINT, Run
from renderer.train import load_checkpoint, save_checkpoint
from renderer.train.ranks import ranks
from tests.tasks.conftest import views_of

ROOT = Path(__file__).parents[2]
LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
QUICK = ("--hull-resolution", "40", "--max-faces", "1200", "--effort", "0.1", "--film", "gif", "--quiet")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}


def launch(processes: int, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAUNCH, str(processes), *command], capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment()
    )


def steps(folder: Path, views: int, stopped: bool) -> None:
    """Six steps of a fit; each process writes the first gradient, the losses and the vertices.

    stopped: the second process gets a signal in the third step.
    """
    shape = icosphere(2, radius=1.0)
    made = views_of(shape.with_vertices(shape.vertices * torch.tensor([1.0, 0.6, 0.8])), count=views, size=32)
    stage = Stage(reduction=1, faces=1.0, steps=6, smoothness=5e-3, scale=1.0)
    state: dict[str, Any] = {}
    with ranks("cpu") as here:
        run = Run(folder / "run", (), resume=(folder / "run").exists(), overwrite=False, here=here)
        with run.opened([made.masks], {}) as saved:
            fit = Fit.of_state(saved["fit"]) if saved else Fit(icosphere(2, radius=0.9))

            def after_step(fit: Fit) -> None:
                if fit.step == 1:  # Adam's mean is a tenth of the gradient
                    state["gradient"] = fit.optimizer["state"][0]["mean"] * 10
                if stopped and fit.step == 3 and here.rank == 1:
                    os.kill(os.getpid(), signal.SIGTERM)
                run.checkpoint(lambda: {"fit": fit.state()})

            mesh = optimise(
                *(fit, made.masks, made.camera), stages=(stage,), max_faces=300, views_per_step=5,
                after_step=after_step, here=here,
            )  # fmt: skip
        save_checkpoint(folder / f"{here.rank}", {**state, "vertices": mesh.vertices, "losses": fit.losses})


def script(processes: int, folder: Path, views: int, how: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return launch(processes, __file__, str(folder), str(views), how)


def assert_adds_up(processes: int, views: int, folder: Path) -> None:
    (folder / "one").mkdir()
    steps(folder / "one", views, stopped=False)
    one = load_checkpoint(folder / "one" / "0")
    done = script(processes, folder / "many", views, "whole")
    assert done.returncode == 0, done.stderr
    many = [load_checkpoint(folder / "many" / f"{rank}") for rank in range(processes)]
    largest = float(one["gradient"].abs().max())
    assert largest > 0
    assert float((many[0]["gradient"] - one["gradient"]).abs().max()) < 1e-5 * largest
    assert torch.allclose(many[0]["vertices"], one["vertices"], atol=1e-4)
    assert many[0]["losses"] == pytest.approx(one["losses"], rel=1e-4)
    for other in many[1:]:
        assert torch.equal(other["vertices"], many[0]["vertices"])
        assert torch.equal(other["gradient"], many[0]["gradient"])
        assert other["losses"] == many[0]["losses"]


def test_two_processes_add_up_to_the_gradients_of_one(tmp_path: Path) -> None:
    assert_adds_up(2, 8, tmp_path)


@pytest.mark.slow
def test_a_process_without_a_view_adds_nothing(tmp_path: Path) -> None:
    assert_adds_up(3, 2, tmp_path)


@pytest.mark.slow
def test_one_signal_stops_all_and_they_resume_to_the_same_bits(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert script(2, whole, 8, "whole").returncode == 0
    done = script(2, parts, 8, "stopped")
    assert done.returncode != 0
    assert "Stopped: SIGTERM" in done.stderr
    assert not (parts / "0").exists()
    assert load_checkpoint(parts / "run" / CHECKPOINT)["state"]["fit"]["step"] == 3
    done = script(2, parts, 8, "whole")
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        one, other = load_checkpoint(whole / f"{rank}"), load_checkpoint(parts / f"{rank}")
        assert torch.equal(one["vertices"], other["vertices"])
        assert one["losses"] == other["losses"]


@pytest.mark.slow
def test_the_command_under_torchrun(ring_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ("-m", "renderer.cli", "reconstruct", str(ring_folder), "--out", str(out), *QUICK)
    done = launch(2, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("IoU, training views") == 1
    assert {file.name for file in out.iterdir()} == {
        *("mesh.glb", "mesh.ply", "metrics.json", "report.html", "turntable.gif")
    }
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["result"]["test_iou"] > metrics["hull"]["test_iou"]
    assert Mesh.load(out / "mesh.ply").genus == 1
    again = launch(2, *command)
    assert again.returncode != 0
    assert "already holds metrics.json: give --overwrite" in again.stderr


if __name__ == "__main__":
    steps(Path(sys.argv[1]), int(sys.argv[2]), stopped=sys.argv[3] == "stopped")
