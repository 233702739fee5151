"""`renderer pose`: files that other commands read, resumed after a kill, bad input refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer import Camera, Mesh
from renderer.cli import main
from renderer.ops import native
from renderer.scene import Scene
from renderer.scene.views import load_views
from renderer.tasks import PoseSettings, find_camera
from renderer.tasks.camera_results import sheet
from renderer.tasks.parts import cover
from renderer.tasks.pose import silhouette_iou
from renderer.tasks.pose_parameters import degrees_between
from tests.tasks.conftest import masks_of, stop_at_first_checkpoint
from tests.tasks.test_pose import lopsided

QUICK = [
    *("--fov-y", "35", "--starts", "12", "--steps", "45", "--resolution", "32", "--refine-steps", "20"),
    *("--finalists", "2", "--quiet", "--device", "cpu"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Camera]:
    """ring.ply, rgba.png, grey.png and the camera of both pictures."""
    folder = tmp_path_factory.mktemp("pose")
    mesh = lopsided()
    camera = Camera.orbit(4.5, 35.0, 50.0, image_size=(50, 70), fov_y=35.0)
    mesh.save(folder / "ring.ply")
    alpha = (masks_of(mesh, Camera.stack([camera]))[0] * 255).round().to(torch.uint8).numpy()
    colours = np.full((*alpha.shape, 3), (200, 120, 40), np.uint8)
    iio.imwrite(folder / "rgba.png", np.concatenate([colours, alpha[..., None]], -1))
    iio.imwrite(folder / "grey.png", alpha)
    return folder, camera


@pytest.fixture(scope="module")
def arguments(data: tuple[Path, Camera]) -> list[str]:
    folder, _ = data
    return ["pose", str(folder / "ring.ply"), str(folder / "rgba.png"), *QUICK, "--out"]


@pytest.fixture(scope="module")
def whole(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder of a run, what it printed and what it complained about."""
    out = tmp_path_factory.mktemp("whole") / "new" / "out"
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as errors:
        assert main([*arguments, str(out)]) == 0
    return out, printed.getvalue(), errors.getvalue()


def test_files_that_other_commands_read(
    data: tuple[Path, Camera], whole: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, _ = data
    out, printed, errors = whole
    assert errors == ""
    assert "rgba.png: its alpha, not its colours" in printed
    assert "35.0° as given" in printed
    names = {"metrics.json", "transforms.json", "candidates.json", "scene.toml", "overlay.png", "report.html"}
    assert {file.name for file in out.iterdir()} == names | {"image.png"}
    views = load_views(out, "train", images=True)
    assert len(views) == 1
    assert views.masks.shape == (1, 50, 70)
    mesh = Mesh.load(folder / "ring.ply")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["result"]["iou"] > 0.95
    # transforms.json holds the camera that was scored.
    assert silhouette_iou(mesh, views.camera[0], views.masks[0]) == pytest.approx(metrics["result"]["iou"], abs=2e-3)
    assert metrics["result"]["position"] == pytest.approx(views.camera[0].centre.tolist(), abs=1e-4)
    assert metrics["data"]["silhouette"] == "alpha"
    candidates = Camera.from_blender_transforms(json.loads((out / "candidates.json").read_text()))
    assert torch.equal(candidates.world_to_camera[:1], views.camera.world_to_camera)
    assert len(candidates) == 1 + len(metrics["result"]["other_candidates"])
    assert len(Scene.load(out).camera("found")) == 1
    assert main(["render", str(out), "--out", str(tmp_path / "again.png")]) == 0
    assert iio.imread(tmp_path / "again.png").shape[:2] == (50, 70)


def test_a_mask_is_its_own_silhouette(data: tuple[Path, Camera], tmp_path: Path) -> None:
    folder, _ = data
    rgb = iio.imread(folder / "grey.png")[..., None].repeat(3, -1)
    iio.imwrite(tmp_path / "rgb.png", rgb)
    quick = PoseSettings(fov_y=None, starts=4, steps=6, resolution=16, refine_steps=0)
    made = find_camera(folder / "ring.ply", tmp_path / "rgb.png", tmp_path / "out", settings=quick, device="cpu")
    assert made.metrics["data"]["silhouette"] == "mask"
    torch.testing.assert_close(load_views(tmp_path / "out").masks[0], torch.from_numpy(rgb[..., 0] / np.float32(255)))
    given = find_camera(
        Mesh.load(folder / "ring.ply"), folder / "grey.png", tmp_path / "given", settings=quick, device="cpu"
    )
    assert torch.equal(given.camera.world_to_camera, made.camera.world_to_camera)
    assert not (tmp_path / "given" / "scene.toml").exists()  # the mesh is in no file


def test_the_sheet_shows_colours_and_differences(data: tuple[Path, Camera]) -> None:
    folder, camera = data
    mesh = lopsided()
    mask = cover(mesh, Camera.stack([camera]))[0].float()
    pixels = sheet(mesh, camera, mask, mask.roll(3, 1), folder / "rgba.png").pixels
    height, width = (3 * n for n in mask.shape)  # enlarged
    assert pixels.shape[1] > 3 * width
    found = {tuple(colour) for colour in pixels[:height].reshape(-1, 3).tolist()}
    assert {(200, 120, 40), (0xE8, 0x59, 0x0C), (0x1C, 0x5F, 0xD4)} <= found


OFTEN = """
import sys
import renderer.tasks.run
from renderer.cli import main
from renderer.ops import native
renderer.tasks.run.CHECKPOINT_SECONDS = 0.02
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_process_resumes_to_the_same_bits(
    arguments: list[str], whole: tuple[Path, str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", OFTEN, *arguments, str(out)])
    assert stop_at_first_checkpoint(process, out, signal.SIGKILL) == -signal.SIGKILL
    assert main([*arguments, str(out)]) == 2  # an unfinished run is not overwritten
    assert main([*arguments, str(out), "--resume"]) == 0
    for name in ("transforms.json", "candidates.json", "overlay.png"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes()


def test_bad_input_is_one_line(
    data: tuple[Path, Camera], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = data
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    ring, rgba = str(folder / "ring.ply"), str(folder / "rgba.png")
    colour, empty, full = (str(tmp_path / f"{name}.png") for name in ("colour", "empty", "full"))
    iio.imwrite(colour, iio.imread(rgba)[..., :3])
    iio.imwrite(empty, np.zeros((8, 8), np.uint8))
    iio.imwrite(full, np.full((8, 8), 255, np.uint8))
    for arguments, message in (
        ([str(tmp_path / "none.ply"), rgba], "none.ply"),
        ([ring, str(tmp_path / "none.png")], "none.png: no such image"),
        ([ring, colour], "colour.png: expected a mask (grey or alpha), got a colour image"),
        ([ring, empty], "empty.png: empty mask"),
        ([ring, full], "a mask that covers everything"),
        ([ring, rgba, "--fov-y", "190"], "fov_y: expected degrees between 0 and 180, got 190.0"),
        ([ring, rgba, "--distribution", "none"], "none"),
        ([ring, rgba, "--device", "cuda"], "device: expected 'cpu', as torch finds no GPU here, got 'cuda'"),
        ([ring, rgba, "--device", "toaster"], "device: expected 'auto', 'cpu', 'cuda'"),
    ):
        assert main(["pose", *arguments, "--out", str(tmp_path / "out"), "--quiet"]) == 2
        printed = capsys.readouterr()
        assert message in printed.err
        assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_degrees_between() -> None:
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert degrees_between(quarter, torch.eye(3)).item() == pytest.approx(90.0)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available() or native.CUDA is None, reason="no GPU, or no CUDA kernels built")
def test_on_a_gpu(data: tuple[Path, Camera], tmp_path: Path) -> None:
    folder, _ = data
    settings = PoseSettings(fov_y=35.0, starts=12, steps=45, resolution=32, refine_steps=20, finalists=2)
    made = find_camera(folder / "ring.ply", folder / "rgba.png", tmp_path / "out", settings=settings, device="cuda")
    assert made.camera.device.type == "cpu"
    assert made.metrics["settings"]["device"] == "cuda"
    assert made.metrics["result"]["iou"] > 0.95
