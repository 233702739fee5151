"""Texture and light of a known shape: recovered, filled, resumed, refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import pytest
import torch

from renderer import Lights, Material, Mesh
from renderer.cli import main
from renderer.scene import AmbientLight, DirectionalLight, icosphere, torus
from renderer.scene.atlas import with_atlas
from renderer.scene.errors import DataError
from renderer.scene.views import load_views
from renderer.tasks import picture_results
from renderer.tasks.fill import fill_holes
from renderer.tasks.surface_pixels import surface_pixels
from renderer.tasks.texture import TextureSettings, fit_texture, seen_texels
from tests.tasks.conftest import stop_at_first_checkpoint, write_coloured_scene, write_scene

LIGHTS = Lights(AmbientLight((0.3, 0.35, 0.4)), DirectionalLight((0.4, 0.5, 0.8), colour=(0.6, 0.55, 0.5)))
SETTINGS = TextureSettings(size=128, steps=60, film="gif")
QUICK = ["--size", "64", "--steps", "25", "--film", "gif", "--quiet"]


@pytest.fixture(autouse=True)
def short_films(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_results, "FRAMES", 3)


def painted_ring() -> Mesh:
    """A ring with an atlas, painted in smooth waves of the surface point."""
    mesh = with_atlas(torus(radius=0.8, tube=0.35), resolution=128)
    pixels = torch.zeros(128, 128, 3)
    weight = torch.zeros(128, 128)
    shares = torch.rand(len(mesh.faces), 60, 3, generator=torch.Generator().manual_seed(0))
    shares = shares / shares.sum(-1, keepdim=True)
    uv = torch.einsum("fsk,fkc->fsc", shares, mesh.uv[mesh.uv_faces])
    points = torch.einsum("fsk,fkc->fsc", shares, mesh.vertices[mesh.faces])
    colours = 0.5 + 0.35 * torch.sin(4 * points + torch.tensor([0.0, 1.0, 2.0]))
    rows, columns = ((1 - uv[..., 1]) * 128).long().clamp(0, 127), (uv[..., 0] * 128).long().clamp(0, 127)
    pixels[rows, columns], weight[rows, columns] = colours, 1.0
    return mesh.with_appearance(material=Material(texture=fill_holes(pixels, weight)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("painted") / "data"
    mesh = painted_ring()
    write_coloured_scene(folder, mesh, LIGHTS, count=10, size=96)
    mesh.save(folder / "mesh.obj")
    torus(radius=0.8, tube=0.35).save(folder / "plain.ply")
    return folder


def test_recovers_texture_and_light(data: Path, tmp_path: Path) -> None:
    made = fit_texture(data, data / "mesh.obj", tmp_path / "out", settings=SETTINGS)
    result = made.metrics["result"]
    assert result["train_psnr"] > 32
    assert result["test_psnr"] > 30
    assert result["test_ssim"] > 0.97
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"metrics.json", "mesh.glb", "texture.png", "light.json", "report.html", "turntable.gif"}
    back = Mesh.load(tmp_path / "out" / "mesh.glb")
    assert back.material.texture.shape == (128, 128, 3)
    assert back.is_watertight
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Pictures against their targets" in report
    assert "dB" in report
    # Up to a common factor the light is that of the scene; the texture's brightest texel is white at most.
    assert 0.9 < float(made.mesh.material.texture.max()) <= 1.0
    assert len(json.loads((tmp_path / "out" / "light.json").read_text())["coefficients"]) == 9


def test_baked_light_and_an_atlas(data: Path, tmp_path: Path) -> None:
    settings = TextureSettings(size=128, steps=60, film="gif", light="baked")
    made = fit_texture(data, data / "plain.ply", tmp_path / "out", settings=settings)
    assert made.lights is None
    assert not (tmp_path / "out" / "light.json").exists()
    assert made.metrics["result"]["test_psnr"] > 28


def test_pixels_are_on_one_surface(data: Path) -> None:
    views = load_views(data, "train", images=True)
    mesh = painted_ring()
    pixels = surface_pixels(mesh, views)
    assert pixels.starts[0] == 0
    assert pixels.starts[-1] == len(pixels.colours)
    assert 0.4 * float(views.masks.sum()) < len(pixels.colours) < float(views.masks.sum())
    assert len(pixels.of_views([2, 5]).uv) == sum(pixels.starts[i + 1] - pixels.starts[i] for i in (2, 5))
    # Almost every texel that a pixel reads is on a chart.
    assert float((seen_texels(pixels, 128) > 0).float().mean()) > 0.3
    with pytest.raises(ValueError, match="expected texture coordinates"):
        surface_pixels(icosphere(1), views)
    with pytest.raises(ValueError, match="expected images"):
        surface_pixels(mesh, load_views(data, "train"))


def test_holes_take_what_is_around_them() -> None:
    image = torch.linspace(0, 1, 32)[None, :, None].expand(32, 32, 3).contiguous()
    weight = torch.ones(32, 32)
    weight[8:20, 10:22] = 0
    filled = fill_holes(torch.where(weight[..., None] > 0, image, torch.nan_to_num(image * 0 - 7)), weight)
    assert torch.equal(filled[weight > 0], image[weight > 0])
    assert (filled - image).abs().max() < 0.25
    with pytest.raises(ValueError, match="expected a known texel"):
        fill_holes(image, torch.zeros(32, 32))


OFTEN = """
import sys
import renderer.tasks.run
import renderer.tasks.picture_results
from renderer.cli import main
renderer.tasks.run.CHECKPOINT_SECONDS = 0.02
renderer.tasks.picture_results.FRAMES = 3
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_process_resumes_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    arguments = ["texture", str(data), str(data / "mesh.obj"), *QUICK, "--out"]
    assert main([*arguments, str(whole)]) == 0
    process = subprocess.Popen([sys.executable, "-c", OFTEN, *arguments, str(out)])
    assert stop_at_first_checkpoint(process, out, signal.SIGKILL) == -signal.SIGKILL
    assert main([*arguments, str(out), "--resume"]) == 0
    for name in ("texture.png", "mesh.glb", "light.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_bad_input_is_one_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_colours = write_scene(tmp_path / "grey", torus(radius=0.8, tube=0.3), size=48)
    for file in (no_colours / "train").iterdir():
        iio.imwrite(file, iio.imread(file)[..., 3])
    elsewhere = tmp_path / "elsewhere.ply"
    far = torus()
    far.with_vertices(far.vertices + 50.0).save(elsewhere)
    for arguments, message in (
        ([str(tmp_path / "none"), str(data / "mesh.obj")], "no such folder"),
        ([str(no_colours), str(data / "mesh.obj")], "expected colours, RGBA, got one channel"),
        ([str(data), str(tmp_path / "none.obj")], "none.obj"),
        ([str(data), str(elsewhere)], "no pixel shows the mesh"),
        ([str(data), str(data / "mesh.obj"), "--size", "8"], "size: expected at least 16, got 8"),
    ):
        assert main(["texture", *arguments, "--out", str(tmp_path / "out"), "--quiet"]) == 2
        printed = capsys.readouterr()
        assert message in printed.err
        assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError):
        fit_texture(data, data / "none.obj", tmp_path / "out")
