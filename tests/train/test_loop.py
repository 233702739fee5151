from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderer.scene import DataError
from renderer.train import load_checkpoint
from renderer.train.experiment import share
from renderer.train.interrupt import Stopped
from renderer.train.loop import CHECKPOINT, RESULTS, Autocast, fit
from renderer.train.metrics import FILE
from tests.train.tiny import Plain, Tiny

OFTEN = {"checkpoint_every": 3, "log_every": 4, "evaluate_every": 5, "device": "cpu"}
ROOT = Path(__file__).parents[2]


def assert_same_bits(one: Any, other: Any, place: str = "state") -> None:
    assert type(one) is type(other), place
    if isinstance(one, Tensor):
        assert one.dtype == other.dtype, place
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key, value in one.items():
            assert_same_bits(value, other[key], f"{place}[{key!r}]")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), place
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same_bits(a, b, f"{place}[{i}]")
    else:
        assert one == other, place


def state_of(folder: Path) -> dict[str, Any]:
    state = load_checkpoint(folder / CHECKPOINT)
    del state["seconds"], state["identity"]
    return state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    fit(Tiny(), steps=10, out=folder, **OFTEN)
    return folder


def test_files_and_results(tmp_path: Path) -> None:
    results = fit(Tiny(), steps=10, out=tmp_path / "new" / "run", **OFTEN)
    folder = tmp_path / "new" / "run"
    assert {file.name for file in folder.iterdir()} == {CHECKPOINT, FILE, RESULTS}
    assert json.loads((folder / RESULTS).read_text()) == results
    assert results["steps"] == 10
    lines = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    assert [(line["step"], *(k for k in line if k != "step")) for line in lines] == [
        *((4, "train"), (5, "evaluate"), (8, "train"), (10, "train"), (10, "evaluate"))
    ]
    assert lines[-1]["evaluate"] == {"error": results["error"]}
    assert set(lines[0]["train"]) == {"loss", "noise"}


def test_logged_numbers_are_means_over_the_steps_between(tmp_path: Path) -> None:
    fit(Tiny(), steps=8, out=tmp_path / "each", log_every=1, device="cpu")
    fit(Tiny(), steps=8, out=tmp_path / "four", log_every=4, device="cpu")
    each, four = (
        [
            json.loads(line)["train"]["loss"]
            for line in (tmp_path / name / FILE).read_text().splitlines()
            if "train" in line
        ]
        for name in ("each", "four")
    )
    assert four == pytest.approx([np.mean(each[:4]), np.mean(each[4:])], rel=1e-6)


def test_learns(tmp_path: Path) -> None:
    before = fit(Plain(), steps=1, out=tmp_path / "a", device="cpu")["error"]
    assert fit(Plain(), steps=300, out=tmp_path / "b", device="cpu")["error"] < 0.5 * before


def test_seeds_alone_decide(tmp_path: Path, whole: Path) -> None:
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    fit(Tiny(), steps=10, out=tmp_path / "same", **OFTEN)
    fit(Tiny(), steps=10, out=tmp_path / "other", seed=1, **OFTEN)
    assert_same_bits(state_of(tmp_path / "same"), state_of(whole))
    with pytest.raises(AssertionError):
        assert_same_bits(state_of(tmp_path / "other"), state_of(whole))
    after = random.getstate(), np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])
    assert torch.equal(before[2], after[2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_is_uninterrupted(number: int, tmp_path: Path, whole: Path) -> None:
    with pytest.raises(Stopped) as stopped:
        fit(Tiny(signal=number, at=7), steps=10, out=tmp_path, **OFTEN)
    assert stopped.value.number == number
    assert load_checkpoint(tmp_path / CHECKPOINT)["step"] == 7
    with pytest.raises(DataError, match="made with signal"):
        fit(Tiny(), steps=10, out=tmp_path, resume=True, **OFTEN)
    fit(Tiny(signal=number, at=7), steps=10, out=tmp_path, resume=True, **OFTEN)
    assert_same_bits(state_of(tmp_path), state_of(whole))
    assert (tmp_path / FILE).read_text() == (whole / FILE).read_text()


def script(*arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [sys.executable, *launcher, str(ROOT / "tests" / "train" / "tiny.py"), *arguments]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # As many threads as here: bits may depend on how torch splits a sum.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_killed_and_resumed_is_uninterrupted(tmp_path: Path) -> None:
    killed = script("tiny", str(tmp_path / "killed"), str(int(signal.SIGKILL)), "8", "new")
    assert killed.returncode == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "killed" / CHECKPOINT)["step"] == 6
    # The second run is not killed, and is the same experiment in all that decides its numbers.
    options: dict[str, Any] = {"checkpoint_every": 3, "log_every": 4, "device": "cpu"}
    experiment = Tiny(signal=int(signal.SIGKILL), at=8)
    object.__setattr__(experiment, "loss", Tiny().loss)
    fit(experiment, steps=10, out=tmp_path / "killed", resume=True, **options)
    fit(Tiny(), steps=10, out=tmp_path / "whole", **options)
    assert_same_bits(state_of(tmp_path / "killed"), state_of(tmp_path / "whole"))
    assert (tmp_path / "killed" / FILE).read_text() == (tmp_path / "whole" / FILE).read_text()


def test_lines_after_the_checkpoint_are_written_once(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(Stopped):
        fit(Tiny(signal=signal.SIGTERM, at=5), steps=10, out=tmp_path, **OFTEN)
    with open(tmp_path / FILE, "a") as file:  # as a run does that goes on after its last checkpoint, until it is killed
        file.write('{"step": 8, "train": {"loss": 0.0}}\n{"step": 1')
    fit(Tiny(signal=signal.SIGTERM, at=5), steps=10, out=tmp_path, resume=True, **OFTEN)
    assert (tmp_path / FILE).read_text() == (whole / FILE).read_text()


def test_a_finished_run_resumed_gives_its_results_and_may_be_prolonged(tmp_path: Path, whole: Path) -> None:
    first = fit(Tiny(), steps=6, out=tmp_path, **OFTEN)
    again = fit(Tiny(), steps=6, out=tmp_path, resume=True, **OFTEN)
    assert again["error"] == first["error"]
    with pytest.raises(ValueError, match="steps: expected at least the 6 that are done, got 4"):
        fit(Tiny(), steps=4, out=tmp_path, resume=True, **OFTEN)
    fit(Tiny(), steps=10, out=tmp_path, resume=True, **OFTEN)
    assert_same_bits(state_of(tmp_path)["model"], state_of(whole)["model"])


def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = script("plain", str(tmp_path / "two"), "0", "0", "new", launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'steps': 10") == 2
    fit(Plain(), steps=10, out=tmp_path / "one", checkpoint_every=3, log_every=4, device="cpu")
    two, one = state_of(tmp_path / "two"), state_of(tmp_path / "one")
    # Ten steps of plain gradient descent add the gradients up.
    for name, value in one["model"].items():
        assert torch.allclose(two["model"][name], value, atol=1e-6), name
    losses = [
        [
            json.loads(line)["train"]["loss"]
            for line in (tmp_path / name / FILE).read_text().splitlines()
            if "train" in line
        ]
        for name in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_shares_are_the_batch() -> None:
    parts = [share(torch.arange(12), rank, 3) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == list(range(12))
    with pytest.raises(ValueError, match="batch: expected a size that 5 processes can share equally, got 12"):
        share(torch.arange(12), 0, 5)


def test_the_network_alone_computes_in_bfloat16(tmp_path: Path) -> None:
    seen: list[torch.dtype] = []
    network = nn.Linear(4, 4)
    network.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    out = Autocast(network)(torch.ones(2, 4))
    assert (seen, out.dtype) == ([torch.bfloat16], torch.float32)
    fit(Tiny(), steps=2, out=tmp_path, precision="bfloat16", device="cpu")
    assert state_of(tmp_path)["model"]["0.weight"].dtype == torch.float32
    with pytest.raises(DataError, match="made with precision 'bfloat16', not 'float32'"):
        fit(Tiny(), steps=3, out=tmp_path, resume=True, device="cpu")


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    fit(Tiny(), steps=2, out=tmp_path, tensorboard=True, device="cpu")
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()


class Diverges(Tiny):
    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        x, step = batch
        return model(x).sum() * (float("nan") if step == 5 else 1.0)


def test_a_loss_that_is_not_finite_stops_before_it_spoils_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loss: expected a finite number, got nan at or before step 6"):
        fit(Diverges(), steps=10, out=tmp_path, checkpoint_every=3, device="cpu")
    assert load_checkpoint(tmp_path / CHECKPOINT)["step"] == 3


class NoData(Tiny):
    def batch(self, step: int, rank: int, world: int) -> tuple[Tensor, int]:
        raise DataError("data: none")


class PerSample(Tiny):
    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return model(batch[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"log_every": 0}, "log_every: expected at least 1, got 0"),
        ({"evaluate_every": -1}, "evaluate_every: expected at least 0, got -1"),
        ({"precision": "float16"}, "precision: expected 'float32' or 'bfloat16', got 'float16'"),
        ({"device": "nowhere"}, "device: expected 'auto', 'cpu', 'cuda' or another"),
        ({"device": "cuda:99"}, "device: expected (one of|.cpu., as torch finds no GPU)"),
        ({"resume": True, "overwrite": True}, "resume, overwrite: expected one of them"),
        ({"experiment": NoData()}, "data: none"),
        ({"experiment": PerSample()}, r"loss: expected a number, got shape \(8, 1\)"),
    ],
)
def test_errors_leave_nothing_behind(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as error:
        fit(**{"experiment": Tiny(), "steps": 2, "out": tmp_path / "run", "device": "cpu", **options})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use(tmp_path: Path) -> None:
    fit(Tiny(), steps=2, out=tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match=r"run: already holds checkpoint\.safetensors"):
        fit(Tiny(), steps=2, out=tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match="made with batch_size 8, not 4"):
        fit(Tiny(batch_size=4), steps=2, out=tmp_path / "run", resume=True, device="cpu")
    with pytest.raises(DataError, match="made with seed 0, not 3"):
        fit(Tiny(), steps=2, out=tmp_path / "run", resume=True, seed=3, device="cpu")
    fit(Tiny(batch_size=4), steps=1, out=tmp_path / "run", overwrite=True, device="cpu")
    assert state_of(tmp_path / "run")["step"] == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: expected a folder"):
        fit(Tiny(), steps=2, out=tmp_path / "file", device="cpu")
