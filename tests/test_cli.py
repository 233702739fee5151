from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from renderer.cli import BAD_INPUT, main
from renderer.scene import Mesh, torus
from tests.tasks.conftest import write_scene

QUICK = ["--hull-resolution", "32", "--max-faces", "600", "--effort", "0.03", "--film", "gif", "--quiet"]


@pytest.fixture(scope="module")
def ring_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("data") / "ring", torus(radius=0.8, tube=0.3), size=48)


def test_reconstruct(ring_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconstruct", str(ring_scene), "--out", str(tmp_path / "out"), *QUICK]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "IoU, unseen views: 0.9" in printed.out
    assert str(tmp_path / "out" / "report.html") in printed.out
    assert Mesh.load(tmp_path / "out" / "mesh.glb").genus == 1


def edit_json(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def break_it(scene: Path) -> None:
        path = scene / "transforms_train.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return break_it


def image(value: np.ndarray) -> Callable[[Path], None]:
    return lambda scene: iio.imwrite(scene / "train" / "r_2.png", value.astype(np.uint8))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing image": (lambda scene: (scene / "train" / "r_2.png").unlink(), "r_2"),
    "unreadable image": (lambda scene: (scene / "train" / "r_2.png").write_bytes(b"\x89PNG"), "r_2.png"),
    "other size": (image(np.full((40, 48, 4), 255)), "r_2.png"),
    "no alpha": (image(np.full((48, 48, 3), 255)), "r_2.png"),
    "empty mask": (image(np.zeros((48, 48, 4))), "r_2.png"),
    "malformed JSON": (lambda scene: (scene / "transforms_train.json").write_text("{"), "transforms_train.json"),
    "malformed JSON of the test views": (
        lambda s: (s / "transforms_test.json").write_text("{"),
        "transforms_test.json",
    ),
    "NaN in a matrix": (
        edit_json(lambda c: c["frames"][1]["transform_matrix"][0].__setitem__(0, float("nan"))),
        "transforms_train.json",
    ),
    "matrix not rigid": (
        edit_json(lambda c: c["frames"][1]["transform_matrix"][0].__setitem__(0, 5.0)),
        "transforms_train.json",
    ),
    "matrix too small": (edit_json(lambda c: c["frames"][1].update(transform_matrix=[[1.0]])), "transforms_train.json"),
    "no camera angle": (
        edit_json(lambda c: [c.pop(k, None) for k in ("camera_angle_x", "fl_x", "fl_y", "cx", "cy", "w", "h")]),
        "transforms_train.json",
    ),
    "no frames": (edit_json(lambda c: c.update(frames=[])), "transforms_train.json"),
    "no such folder": (shutil.rmtree, "scene"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_bad_input(case: str, ring_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(ring_scene, scene)
    break_it, named = BROKEN[case]
    break_it(scene)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mesh.ply").write_text("an earlier result")
    status = main(["reconstruct", str(scene), "--out", str(out), "--overwrite", *QUICK])
    printed = capsys.readouterr()
    assert status == BAD_INPUT
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert named in printed.err
    assert [file.name for file in out.iterdir()] == ["mesh.ply"]
    assert (out / "mesh.ply").read_text() == "an earlier result"


def test_cameras_that_do_not_belong_together(
    ring_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(ring_scene, scene)
    edit_json(lambda c: c["frames"][0]["transform_matrix"][0].__setitem__(3, 1000.0))(scene)
    assert main(["reconstruct", str(scene), "--out", str(tmp_path / "out"), *QUICK]) == BAD_INPUT
    error = capsys.readouterr().err
    assert "no point of space lies inside all of them" in error
    assert str(scene) in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["reconstruct"], ["reconstruct", "x"], ["reconstruct", "x", "--out", "y", "--film", "avi"]]
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(arguments)
    assert exit_status.value.code == BAD_INPUT
    assert "--out" in capsys.readouterr().err or "film" in str(arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["reconstruct", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(arguments)
    assert exit_status.value.code == 0
    assert "reconstruct" in capsys.readouterr().out


def test_a_missing_extra_is_one_line() -> None:
    code = "import sys; sys.modules['tyro'] = None; import renderer.cli"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.strip() == "renderer: the command line needs the package tyro: pip install 'renderer[tasks]'"
