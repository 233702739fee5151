"""`renderer render`, through the command line."""

from __future__ import annotations

import struct
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.cli import BAD_INPUT, main
from renderer.scene import Material, Mesh, icosphere

SCENE = """
background = "#8040c0"
up = [0, 0, 1]
[[mesh]]
file = "ball.obj"
[mesh.material]
base_colour = "#ff8000"
[[camera]]
name = "front"
eye = [0, -4, 0]
image_size = [24, 32]
[[camera]]
name = "around"
transforms = "frames.json"
image_size = [16, 16]
"""
FRAME = '{"transform_matrix": [[1, 0, 0, 0], [0, 1, 0, %s], [0, 0, 1, %s], [0, 0, 0, 1]]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    icosphere(2).save(tmp_path / "ball.obj")
    frames = ", ".join((FRAME % (0, 4), FRAME % (0.5, 4), FRAME % (0, 40)))
    (tmp_path / "frames.json").write_text(f'{{"camera_angle_x": 0.8, "frames": [{frames}]}}')
    (tmp_path / "scene.toml").write_text(SCENE)
    (tmp_path / "out").mkdir()
    return tmp_path


def render(folder: Path, *options: str, out: str = "a.png", scene: str = ".") -> np.ndarray:
    """The pixels that were written."""
    path = folder / "out" / out
    assert main(["render", str(folder / scene), "--out", str(path), *options]) == 0
    assert [file.name for file in path.parent.iterdir()] == [out]
    return iio.imread(path)


def test_the_first_camera_of_the_scene(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = render(folder, "--light", "none")
    assert pixels.shape == (24, 32, 4)
    # sRGB in, sRGB out: the colours are those of the file.
    assert pixels[12, 16].tolist() == [255, 128, 0, 255]
    assert pixels[0, 0].tolist() == [128, 64, 192, 255]
    assert capsys.readouterr().out.strip() == str(folder / "out" / "a.png")


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "bmp", "webp", "tif", "tiff", "PNG"])
def test_other_pictures(folder: Path, extension: str) -> None:
    pixels = render(folder, "--light", "none", out=f"a.{extension}")
    assert pixels.shape[:2] == (24, 32)
    np.testing.assert_allclose(pixels[12, 16, :3], [255, 128, 0], atol=5)
    np.testing.assert_allclose(pixels[1, 1, :3], [128, 64, 192], atol=5)


def test_cameras_by_name_and_index(folder: Path) -> None:
    first, second, far = (render(folder, "--camera", "around", "--index", str(i)) for i in range(3))
    assert first.shape == (16, 16, 4)
    assert np.abs(first.astype(int) - second).max() > 50
    assert (far[:6] == far[0, 0]).all()  # the third stands ten times as far away
    assert render(folder, "--camera", "front", "--size", "12", "16").shape == (12, 16, 4)


def test_free_views_frame_the_scene(folder: Path) -> None:
    def height(*options: str) -> int:
        alpha = render(folder, "--size", "48", "48", "--background", "transparent", *options)[..., 3]
        return int((alpha > 127).any(1).sum())

    assert height("--elevation", "0") == pytest.approx(48 / 1.06, abs=1.5)
    assert height("--azimuth", "200", "--orthographic") == pytest.approx(48 / 1.06, abs=1.5)
    # Seen wide from near by, the outline lies before the widest part: tan(asin(sin 40° / 1.06)) / tan 40°.
    assert height("--fov", "80") == pytest.approx(48 * 0.909, abs=2)
    assert height("--distance", "20") < 20
    wide, narrow = height("--distance", "8", "--fov", "60"), height("--distance", "8", "--fov", "20")
    assert wide < narrow


def test_lights(folder: Path) -> None:
    below = render(folder, "--to-light", "0", "0", "-1").astype(int)
    above = render(folder, "--to-light", "0", "0", "1").astype(int)
    assert below[18, 16, 1] > below[6, 16, 1] + 20
    assert above[6, 16, 1] > above[18, 16, 1] + 20
    eye = render(folder, "--light", "eye").astype(int)
    assert eye[12, 16, 1] > eye[3, 16, 1]
    np.testing.assert_allclose(eye[6, 16, :3], eye[17, 16, :3], atol=4)
    # The scene has no lights of its own.
    assert (render(folder, "--light", "studio") == render(folder)).all()


def test_up_turns_the_lights_that_are_made_up_too(folder: Path) -> None:
    """Otherwise the sky of a mesh that stands on its z axis comes from the side."""
    size = ("--size", "48", "48")
    for up in ("0 0 1", "0 1 0", "1 0 0"):
        pixels = render(folder, "--up", *up.split(), "--azimuth", "0", "--elevation", "0", *size, scene="ball.obj")
        rows = pixels[:, 18:30, 1].mean(1)
        assert rows[10] > rows[38] + 20


def test_background_and_transparency(folder: Path) -> None:
    pixels = render(folder, "--background", "transparent", "--light", "none")
    assert pixels[0, 0].tolist() == [0, 0, 0, 0]
    assert pixels[12, 16].tolist() == [255, 128, 0, 255]
    border = pixels[(pixels[..., 3] > 60) & (pixels[..., 3] < 200)]
    assert len(border) > 8
    # Straight alpha: the colour at the border is that of the ball, not darkened.
    np.testing.assert_allclose(border[:, :3], np.broadcast_to([255, 128, 0], (len(border), 3)), atol=3)
    assert render(folder, "--background", "#102030")[0, 0].tolist() == [16, 32, 48, 255]


def test_normals_and_samples(folder: Path) -> None:
    smooth, flat = (render(folder, "--normals", name, "--samples", "1") for name in ("smooth", "flat"))
    ball = np.s_[6:18, 10:22]
    assert len(np.unique(flat[ball].reshape(-1, 4), axis=0)) < len(np.unique(smooth[ball].reshape(-1, 4), axis=0)) - 20
    assert not (render(folder, "--samples", "3") == smooth).all()


def test_soft(folder: Path) -> None:
    hard, soft, softer, faces = (
        render(folder, "--light", "none", "--background", "transparent", *options)[..., 3].astype(int)
        for options in (
            (),
            ("--soft",),
            ("--soft", "--scale", "3", "--distribution", "logistic"),
            ("--soft", "--coverage", "face", "--t-conorm", "einstein", "--gamma", "1e-3"),
        )
    )
    assert np.abs(hard - soft).mean() < 3

    def border(alpha: np.ndarray) -> int:
        return int(((alpha > 5) & (alpha < 250)).sum())

    assert border(softer) > 2 * border(soft)
    assert np.abs(faces - soft).max() > 10


def test_light_above_one_shows_as_one_and_the_help_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scene.toml").write_text(SCENE + '[[light]]\nkind = "ambient"\ncolour = [40, 1, 1]\n')
    pixels = render(folder)
    assert pixels[12, 16].tolist() == [255, 128, 0, 255]
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["render", "--help"])
    assert "Light above 1 shows as 1." in capsys.readouterr().out


def test_a_textured_mesh(folder: Path) -> None:
    ball = icosphere(2)
    texture = torch.tensor([[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]])
    look = Material(texture=texture, texture_filter="nearest", texture_wrap="clamp")
    ball.with_appearance(uv=ball.vertices[:, :2] / 2 + 0.5, material=look).save(folder / "two.glb")
    pixels = render(
        folder, "--light", "none", "--elevation", "0", "--azimuth", "0", "--size", "32", "32", scene="two.glb"
    )
    assert pixels[6, 16, 2] > 200 > 50 > pixels[6, 16, 0]
    assert pixels[25, 16, 0] > 200 > 50 > pixels[25, 16, 2]


# -- films ------------------------------------------------------------------------------------------------------------


def test_gif_turntable(folder: Path) -> None:
    frames = render(folder, "--frames", "4", "--size", "15", "21", "--normals", "flat", out="a.gif")
    assert frames.shape == (4, 15, 21, 3)
    assert not (frames[0] == frames[1]).all()


def test_mp4_turntable_goes_once_around(folder: Path) -> None:
    frames = render(folder, "--frames", "3", "--size", "16", "32", "--soft", out="a.mp4")
    assert frames.shape == (3, 16, 32, 3)
    np.testing.assert_allclose(frames[1, 1, 1], [128, 64, 192], atol=12)


def test_azimuth_starts_the_turn(folder: Path) -> None:
    options = ("--size", "16", "16", "--to-light", "1", "0", "0")
    film = render(folder, "--frames", "2", "--azimuth", "90", *options, out="a.gif")
    (folder / "out" / "a.gif").unlink()
    for frame, azimuth in zip(film, ("90", "270"), strict=True):
        still = render(folder, "--azimuth", azimuth, *options)
        np.testing.assert_allclose(frame, still[..., :3], atol=40)  # 256 colours
    assert film[0][8, 8, 1] > film[1][8, 8, 1] + 50


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("no.obj --out out/a.png", "no.obj: no such file or folder"),
        ("out --out out/a.png", "out: expected a folder with scene.toml, found none"),
        ("frames.json --out out/a.png", "frames.json: expected a folder, a .toml file, or a mesh ending in "),
        ("broken.obj --out out/a.png", "broken.obj: line 1: expected v x y z, got v 1"),
        (". --out out/a.xyz", "out: expected a name ending in .png, .jpg, "),
        (". --out out/a", "out: expected a name ending in .png, .jpg, "),
        (". --out nowhere/a.png", "out: expected a file in a folder that exists, got nowhere/a.png"),
        (". --out folder.png", "out: expected a file in a folder that exists, got folder.png"),
        (". --out out/a.mp4 --size 15 16", "size: expected an even number of pixels for .mp4, got 15"),
        (". --out out/a.png --size 0 16", "size: expected at least 1, got 0"),
        (". --out out/a.png --samples 0", "samples: expected at least 1, got 0"),
        (". --out out/a.gif --frames 0", "frames: expected at least 1, got 0"),
        (". --out out/a.png --camera top", "camera: expected one of front, around, got 'top'"),
        (". --out out/a.png --camera ''", "camera: expected one of front, around, got ''"),
        (". --out out/a.png --camera around --index 3", "index: expected 0 to 2, got 3"),
        (". --out out/a.png --camera around --index -1", "index: expected 0 to 2, got -1"),
        (". --out out/a.png --index 1", "index: expected 0 for a single camera, got 1"),
        (". --out out/a.png --azimuth 3 --index 1", "index: expected 0 for a camera that frames the scene, got 1"),
        (". --out out/a.png --camera front --azimuth 3", "azimuth: expected none beside the scene's camera 'front'"),
        (". --out out/a.png --camera front --fov 3", "fov: expected none beside the scene's camera 'front'"),
        (". --out out/a.png --camera front --orthographic", "orthographic: expected none beside the scene's camera"),
        (". --out out/a.gif --camera front", "camera: expected none for a turntable, got 'front'"),
        (". --out out/a.gif --index 1", "index: expected 0 for a turntable, got 1"),
        (". --out out/a.png --fov 0", "fov_y: expected degrees between 0 and 180, got 0.0"),
        (". --out out/a.png --distance -3", "distance: expected a positive number, got -3.0"),
        (". --out out/a.png --elevation nan", "elevation: expected finite degrees, got nan"),
        (". --out out/a.png --background red", "background: expected a colour such as #ffcc00, got 'red'"),
        (". --out out/a.mp4 --background red", "background: expected a colour such as #ffcc00, got 'red'"),
        (". --out out/a.jpg --background transparent", "background: expected a colour, as .jpg has no transparency"),
        (". --out out/a.gif --background transparent", "background: expected a colour, as .gif has no transparency"),
        (". --out out/a.png --to-light 0 0 0", "to_light: expected a direction, got 0 0 0"),
        (". --out out/a.png --to-light 0 0 1 --light eye", "light: expected none beside to_light, got 'eye'"),
        (". --out out/a.png --up 0 0 0", "up: expected a direction of three numbers, not all zero, got "),
        (". --out out/a.png --scale 2", "soft: expected --soft beside options of the soft renderer"),
        (". --out out/a.png --soft --scale -2", "scale: expected a finite number > 0, got -2.0"),
        (". --out out/a.png --soft --gamma 0", "gamma: expected a positive number, got 0.0"),
        (". --out out/a.png --soft --distribution no", "name: expected one of hard, uniform, "),
        (". --out out/a.gif --soft --distribution gamma", "shape: gamma expects a finite number > 0, got None"),
        (". --out out/a.png --soft --t-conorm max", "t_conorm: expected none with --coverage outline, got 'max'"),
        (". --out out/a.png --soft --coverage face --t-conorm no", "name: expected one of "),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    folder: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "broken.obj").write_text("v 1\n")
    (folder / "folder.png").mkdir()
    assert main(["render", *("" if word == "''" else word for word in arguments.split())]) == BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith(f"renderer: {message}")
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.mp4"])
def test_a_disk_that_is_full_leaves_the_old_file(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out" / name).write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("renderer.commands.render.iio.imwrite", full)
    monkeypatch.setattr("renderer.commands.render.write_film", full)
    assert main(["render", str(folder), "--out", str(folder / "out" / name), "--size", "8", "8"]) == BAD_INPUT
    assert capsys.readouterr().err == f"renderer: out: {folder / 'out' / name} cannot be written (no space left)\n"
    assert (folder / "out" / name).read_text() == "old"
    assert len(list((folder / "out").iterdir())) == 1


@pytest.mark.parametrize("arguments", ["--size 7", "--light blue", "--elevation up", "--unknown 3"])
def test_bad_usage(folder: Path, arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(["render", str(folder), "--out", str(folder / "out" / "a.png"), *arguments.split()])
    assert exit_status.value.code == BAD_INPUT
    assert arguments.split()[0] in capsys.readouterr().err


def test_a_glb_without_cameras_is_framed(folder: Path) -> None:
    Mesh.load(folder / "ball.obj").save(folder / "ball.glb")
    pixels = render(folder, "--size", "16", "16", scene="ball.glb")
    assert pixels.shape == (16, 16, 4)
    assert struct.unpack("<4B", pixels[0, 0].tobytes()) == (0, 0, 0, 255)
