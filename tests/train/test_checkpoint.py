from __future__ import annotations

from pathlib import Path

import pytest
import torch

from renderer.scene.errors import DataError
from renderer.train import checkpoint as module
from renderer.train import load_checkpoint, save_checkpoint


def test_round_trip_leaves_one_file(tmp_path: Path) -> None:
    state = {"latent": torch.randn(4, 3), "step": 3, "losses": [0.5, 0.25], "nested": {"a": None}}
    save_checkpoint(tmp_path / "c.pt", state)
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(loaded.pop("latent"), state.pop("latent"))
    assert loaded == state
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_a_kill_while_writing_keeps_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"step": 1})

    def killed(state: dict, file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 1}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_damaged_or_missing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"c\.pt: not a readable checkpoint"):
        load_checkpoint(path)
