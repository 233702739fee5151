"""`--device`: every command that computes has it, and says in one line what it cannot do."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.cli import BAD_INPUT, main
from renderer.ops import native
from renderer.scene import Scene, icosphere

COMMANDS = {
    "reconstruct": ["reconstruct", "scenes/creature", "--out", "{out}/result"],
    "texture": ["texture", "scenes/creature", "{mesh}", "--out", "{out}/result"],
    "render": ["render", "{mesh}", "--out", "{out}/picture.png", "--size", "8", "8"],
    "predict": ["predict", "{picture}", "--checkpoint", "{out}/none", "--out", "{out}/mesh.ply"],
    "train": ["train", "single-view", "--data", "{out}", "--out", "{out}/result"],
}


def command(name: str, folder: Path) -> list[str]:
    icosphere(1).save(folder / "ball.ply")
    iio.imwrite(folder / "picture.png", np.full((64, 64, 4), 255, np.uint8))
    places = {"out": folder, "mesh": folder / "ball.ply", "picture": folder / "picture.png"}
    return [word.format(**places) for word in COMMANDS[name]]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", COMMANDS)
def test_cuda_without_a_gpu(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command(name, tmp_path), "--device", "cuda"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert said == "renderer: device: expected 'cpu', as torch finds no GPU here, got 'cuda'\n"
    assert {path.name for path in tmp_path.iterdir()} <= {"ball.ply", "picture.png"}


@pytest.mark.skipif(native.CUDA is not None, reason="this build has kernels")
def test_a_build_without_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drawn_on_a_gpu(scene: Scene, **options: object) -> None:
        native.check_device(torch.device("cuda"))

    monkeypatch.setattr(Scene, "render", drawn_on_a_gpu)
    assert main(command("render", tmp_path)) == BAD_INPUT
    assert capsys.readouterr().err.startswith("renderer: this build of renderer has no CUDA kernels: move")


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_render_where_it_is_told(device: str, tmp_path: Path) -> None:
    assert main([*command("render", tmp_path), "--device", device]) == 0
    assert iio.imread(tmp_path / "picture.png").shape[:2] == (8, 8)


def test_an_unknown_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command("render", tmp_path), "--device", "gpu"]) == BAD_INPUT
    assert capsys.readouterr().err.startswith("renderer: device: expected 'auto', 'cpu', 'cuda' or another name")
