from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from renderer.cli import BAD_INPUT, main
from renderer.experiments import EXPERIMENTS
from renderer.train.loop import CHECKPOINT, RESULTS
from tests.experiments.test_mnist import write_mnist

QUICK = ["--steps", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_what_the_command_needs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind = EXPERIMENTS[name]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    assert isinstance(fields["steps"].default, int)
    assert kind.__dataclass_params__.frozen
    with pytest.raises(SystemExit) as stop:
        main(["train", name, "--help"])
    assert stop.value.code == 0
    assert "--checkpoint-every" in capsys.readouterr().out


def test_train_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mnist(tmp_path)
    command = ["train", "digits", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    results = json.loads((tmp_path / "out" / RESULTS).read_text())
    assert f"accuracy: {results['accuracy']:.4g}\nsteps: 2\n" in printed.out
    assert str(tmp_path / "out" / CHECKPOINT) in printed.out
    assert main([*command, "--resume"]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([], "already holds checkpoint.safetensors"),
        (["--overwrite", "--data", "nowhere"], "nowhere/train-images-idx3-ubyte.gz: no such file"),
        (["--resume", "--lr", "0.5"], "made with lr 0.001, not 0.5"),
        (["--overwrite", "--steps", "0"], "steps: expected at least 1"),
    ],
)
def test_errors_are_one_line(
    changes: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mnist(tmp_path)
    command = ["train", "digits", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, *changes]) == BAD_INPUT
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert (tmp_path / "out" / RESULTS).exists()
