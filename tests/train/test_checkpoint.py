from __future__ import annotations

from pathlib import Path

import pytest
import torch

from renderer.scene.errors import DataError
from renderer.train import checkpoint as module
from renderer.train import load_checkpoint, save_checkpoint


def test_round_trip_leaves_one_file(tmp_path: Path) -> None:
    state = {"latent": torch.randn(4, 3), "step": 3, "losses": [0.5, 0.25], "nested": {"a": None}}
    save_checkpoint(tmp_path / "c.safetensors", state)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert torch.equal(loaded.pop("latent"), state.pop("latent"))
    assert loaded == state
    assert [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]


def test_a_kill_while_writing_keeps_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"step": 1})

    def killed(number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 1}


def test_tensors_and_containers_come_back_as_they_went(tmp_path: Path) -> None:
    memory = torch.arange(12.0)
    state = {
        "optimiser": {0: {"step": torch.tensor(3.0), "betas": (0.9, 0.999)}, 1: {}},
        "shared": [memory[:6], memory[2:8], memory.view(3, 4).T],
        "kinds": {"bool": torch.tensor([True]), "half": torch.ones(2, dtype=torch.bfloat16), "none": torch.empty(0, 3)},
        "float": 0.1 + 0.2,
        ("a", 1): None,
    }
    save_checkpoint(tmp_path / "c.safetensors", state)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert list(loaded) == list(state)
    assert loaded["optimiser"] == state["optimiser"]
    assert loaded["float"] == state["float"]
    for before, after in zip(
        (*state["shared"], *state["kinds"].values()), (*loaded["shared"], *loaded["kinds"].values()), strict=True
    ):
        assert before.dtype == after.dtype
        assert torch.equal(before, after)


def test_other_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"state\['a'\]\[1\]: expected a dict, .* or number, got set"):
        save_checkpoint(tmp_path / "c.safetensors", {"a": [1, {2}]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_damaged_or_missing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"c\.safetensors: not a readable checkpoint"):
        load_checkpoint(path)
