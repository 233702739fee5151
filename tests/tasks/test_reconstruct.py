from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from renderer.scene import DataError, Mesh, Views, icosphere
from renderer.tasks import Settings, reconstruct
from renderer.tasks.results import up_direction
from renderer.tasks.run import CHECKPOINT, PARTIAL, Run, given_by
from renderer.tasks.scores import smallest_angles
from renderer.train.interrupt import Stopped, deferred_signals
from tests.tasks.conftest import stop_at_first_checkpoint, views_of, write_scene

QUICK = Settings(hull_resolution=40, max_faces=1200, effort=0.1, film="gif")
FILES = {"mesh.glb", "mesh.ply", "metrics.json", "report.html", "turntable.gif"}


@pytest.fixture(scope="module")
def made(ring_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    return reconstruct(ring_folder, tmp_path_factory.mktemp("out") / "new" / "run", settings=QUICK)


def test_files_and_metrics(made, ring_folder: Path) -> None:
    assert {file.name for file in made.folder.iterdir()} == FILES
    metrics = json.loads((made.folder / "metrics.json").read_text())
    assert metrics == made.metrics
    for scored in (metrics["result"], metrics["hull"]):
        assert 0.9 < scored["test_iou"] < 1
        for split, count in (("train", 8), ("test", 2)):
            ious = scored["views"][split]
            assert len(ious) == count
            assert scored[f"{split}_iou"] == pytest.approx(sum(ious.values()) / count)
    assert metrics["settings"] == dataclasses.asdict(QUICK)
    assert metrics["data"] == {"folder": str(ring_folder), "train_views": 8, "test_views": 2}
    assert set(metrics["seconds"]) == {"hull", "fit", "scores", "files", "total"}
    assert metrics["versions"]["torch"].startswith(torch.__version__.split("+")[0])


def test_mesh_is_closed_and_keeps_the_hole(made) -> None:
    for name in ("mesh.ply", "mesh.glb"):
        mesh = Mesh.load(made.folder / name)
        assert mesh.is_watertight
        assert mesh.genus == 1
        assert mesh.num_faces <= QUICK.max_faces
    assert float(smallest_angles(made.mesh).median()) > 45
    assert made.metrics["result"]["test_iou"] > made.metrics["hull"]["test_iou"]


def test_sphere_start(scene_of: Callable[[Mesh], Path], tmp_path: Path) -> None:
    ball = icosphere(3, radius=0.9)
    scene = scene_of(ball.with_vertices(ball.vertices * torch.tensor([1.0, 0.6, 0.8])))
    made = reconstruct(scene, tmp_path / "out", settings=dataclasses.replace(QUICK, start="sphere", effort=0.2))
    assert made.mesh.genus == 0
    assert made.metrics["result"]["train_iou"] > 0.97


def test_masks_and_a_colmap_model(ring: Mesh, tmp_path: Path) -> None:
    views = views_of(ring)
    (tmp_path / "masks").mkdir()
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    K = views.camera.K[0].tolist()
    height, width = views.camera.image_size
    camera = f"1 PINHOLE {width} {height} {K[0][0]} {K[1][1]} {K[0][2]} {K[1][2]}\n"
    (tmp_path / "sparse" / "0" / "cameras.txt").write_text(camera)
    lines = []
    for i, (mask, pose) in enumerate(zip(views.masks, views.camera.world_to_camera.double().numpy(), strict=True)):
        iio.imwrite(tmp_path / "masks" / f"{i}.png", (mask * 255).round().to(torch.uint8).numpy())
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        lines.append(" ".join(map(str, [i + 1, w, x, y, z, *pose[:3, 3], 1, f"{i}.png"])) + "\n\n")
    (tmp_path / "sparse" / "0" / "images.txt").write_text("".join(lines))
    made = reconstruct(tmp_path, tmp_path / "out", settings=QUICK)
    assert made.mesh.genus == 1
    assert made.metrics["result"]["train_iou"] > 0.95
    assert "test_iou" not in made.metrics["result"]


def test_resume_goes_on_to_the_same_bits(ring_folder: Path, tmp_path: Path, made, monkeypatch) -> None:
    """Ctrl-C at every few steps, one run after the other."""
    out, stops = tmp_path / "out", 0
    while True:
        ticks = iter([0] * 11 + [signal.SIGINT] * 100)
        monkeypatch.setattr("renderer.tasks.run.deferred_signals", lambda t=ticks: _signals(lambda: next(t)))
        try:
            resumed = reconstruct(ring_folder, out, settings=QUICK, resume=True)
            break
        except Stopped:
            stops += 1
        assert {file.name for file in out.iterdir()} == {CHECKPOINT}
    assert stops == 3  # 42 steps
    assert torch.equal(resumed.mesh.vertices, made.mesh.vertices)
    assert torch.equal(resumed.mesh.faces, made.mesh.faces)
    assert (out / "mesh.ply").read_bytes() == (made.folder / "mesh.ply").read_bytes()
    assert resumed.metrics["result"] == made.metrics["result"]
    assert {file.name for file in out.iterdir()} == FILES


class _signals:
    """Stands in for `deferred_signals`."""

    def __init__(self, value: Callable[[], int]) -> None:
        self.value = value

    def __enter__(self) -> Callable[[], int]:
        return self.value

    def __exit__(self, *error: object) -> None:
        pass


def command(scene: Path, out: Path, *more: str) -> list[str]:
    """About a second of steps."""
    settings = ["--max-faces", "1500", "--hull-resolution", "32", "--film", "gif", "--effort", "0.4", "--quiet"]
    return [sys.executable, "-m", "renderer.cli", "reconstruct", str(scene), "--out", str(out), *settings, *more]


@pytest.fixture(scope="module")
def whole(ring_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The mesh of an undisturbed run of `command`."""
    out = tmp_path_factory.mktemp("whole")
    subprocess.run(command(ring_folder, out), check=True, timeout=120)
    return (out / "mesh.ply").read_bytes()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_killed_process_resumes_to_the_same_bits(number: int, ring_folder: Path, tmp_path: Path, whole: bytes) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    with log.open("w") as errors:
        start = [sys.executable, "-c", OFTEN, *command(ring_folder, out)[3:]]
        process = subprocess.Popen(start, stderr=errors)
        status = stop_at_first_checkpoint(process, out, number)
    assert status == (-number if number == signal.SIGKILL else 128 + number), log.read_text()
    if number != signal.SIGKILL:
        assert "--resume" in log.read_text()
        assert len(log.read_text().splitlines()) == 1
    assert not FILES & {file.name for file in out.iterdir()}
    subprocess.run(command(ring_folder, out, "--resume"), check=True, timeout=120)
    assert (out / "mesh.ply").read_bytes() == whole


# The command with a checkpoint ten times a second, so that a short run has some.
OFTEN = """
import sys
import renderer.tasks.run
from renderer.cli import main
renderer.tasks.run.CHECKPOINT_SECONDS = 0.1
sys.exit(main(sys.argv[1:]))
"""


def test_folder_in_use(made, ring_folder: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in made.folder.iterdir()}
    with pytest.raises(DataError, match=r"already holds metrics\.json: give --overwrite"):
        reconstruct(ring_folder, made.folder, settings=QUICK)
    with pytest.raises(DataError, match=r"already holds metrics\.json: give --overwrite"):
        reconstruct(ring_folder, made.folder, settings=QUICK, resume=True)
    assert {file: file.read_bytes() for file in made.folder.iterdir()} == before
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="expected a folder for the results, found a file"):
        reconstruct(ring_folder, tmp_path / "file", settings=QUICK)
    with pytest.raises(DataError, match="resume, overwrite: expected one"):
        reconstruct(ring_folder, tmp_path / "x", settings=QUICK, resume=True, overwrite=True)


def test_unfinished_run(ring_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / CHECKPOINT).write_bytes(b"half a checkpoint")
    with pytest.raises(DataError, match="holds an unfinished run: give --resume"):
        reconstruct(ring_folder, out, settings=QUICK)
    with pytest.raises(DataError, match="not a readable checkpoint"):
        reconstruct(ring_folder, out, settings=QUICK, resume=True)


def test_checkpoint_of_other_settings(ring_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("renderer.tasks.run.deferred_signals", lambda: _signals(lambda: signal.SIGTERM))
    with pytest.raises(Stopped):
        reconstruct(ring_folder, out, settings=QUICK)
    with pytest.raises(DataError, match="made from other data, settings or versions"):
        reconstruct(ring_folder, out, settings=dataclasses.replace(QUICK, seed=1), resume=True)


def test_results_half_written_by_a_killed_run_go(ring_views: Views, tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}killed").mkdir()
    run = Run(tmp_path, ("a", "b"), resume=False, overwrite=False)
    with run.opened(given_by(ring_views), {}), run.results() as folder:
        (folder / "a").write_text("new")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    run = Run(tmp_path, ("a", "b"), resume=False, overwrite=True)

    def fail() -> None:
        with run.opened(given_by(ring_views), {}), run.results() as folder:
            (folder / "a").write_text("newer")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "new"


def test_overwrite_replaces_everything(ring_folder: Path, scene_of: Callable[[Mesh], Path], tmp_path: Path) -> None:
    first = reconstruct(ring_folder, tmp_path / "out", settings=QUICK)
    ball = scene_of(icosphere(3, radius=0.9))
    second = reconstruct(ball, tmp_path / "out", settings=dataclasses.replace(QUICK, film="mp4"), overwrite=True)
    assert (first.mesh.genus, second.mesh.genus) == (1, 0)
    assert {file.name for file in second.folder.iterdir()} == FILES - {"turntable.gif"} | {"turntable.mp4"}


def test_bad_data_leaves_an_earlier_result_alone(made, tmp_path: Path, ring: Mesh) -> None:
    before = {file: file.read_bytes() for file in made.folder.iterdir()}
    scene = write_scene(tmp_path / "scene", ring)
    (scene / "train" / "r_3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"r_3\.png"):
        reconstruct(scene, made.folder, settings=QUICK, overwrite=True)
    assert {file: file.read_bytes() for file in made.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("start", "cube"), ("film", "avi"), ("hull_resolution", 2), ("max_faces", 0), ("effort", 0.0), ("effort", np.nan)],
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_up_direction(ring: Mesh) -> None:
    assert up_direction(views_of(ring)) == (0.0, 1.0, 0.0)


def test_deferred_signals() -> None:
    # A shell starts what it puts in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        check_deferred_signals()
    finally:
        signal.signal(signal.SIGINT, before)


def check_deferred_signals() -> None:
    with deferred_signals() as signalled:
        assert signalled() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert signalled() == signal.SIGTERM
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_quality_at_default_settings(ring: Mesh, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene", ring, count=24, tests=8, size=256)
    made = reconstruct(scene, tmp_path / "out")
    result, hull = made.metrics["result"], made.metrics["hull"]
    assert result["train_iou"] >= 0.997
    assert result["test_iou"] >= 0.991
    assert result["train_iou"] > hull["train_iou"]
    assert result["test_iou"] > hull["test_iou"]
    assert result["faces"] <= 20_000
    assert result["watertight"]
    assert result["genus"] == 1
    assert result["median_smallest_angle"] >= 45
