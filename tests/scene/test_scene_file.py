"""Scenes in files: scene.toml and GLB."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from renderer.scene import (
    AmbientLight,
    DataError,
    DirectionalLight,
    Material,
    PointLight,
    Scene,
    SphericalHarmonicsLight,
    cube,
    icosphere,
)
from renderer.scene.glb import read_json, with_json

HEAD = '[[mesh]]\nfile = "box.obj"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cube().save(tmp_path / "box.obj")
    (tmp_path / "frames.json").write_text(
        json.dumps({"camera_angle_x": math.pi / 2, "frames": [{"transform_matrix": np.eye(4).tolist()}] * 3})
    )
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def load(folder: Path, text: str) -> Scene:
    (folder / "scene.toml").write_text(text)
    return Scene.load(folder)


# -- scene.toml -----------------------------------------------------------------------------------------------------

FULL = """
background = "#ff0000"
up = [0, 0, 1]

[[mesh]]
file = "box.obj"
name = "box"
position = [1, 2, 3]
rotation = [90, 0, 90]
scale = [1, 2, 4]
[mesh.material]
base_colour = [0.1, 0.2, 0.3]
specular = 0.5
shininess = 12
normals = "flat"
texture_filter = "linear"
texture_wrap = "clamp"

[[mesh]]
file = "box.obj"
matrix = [[0, 0, 1, 5], [0, 1, 0, 6], [-1, 0, 0, 7], [0, 0, 0, 1]]

[[camera]]
name = "front"
eye = [0, -4, 0]
image_size = [20, 30]
fov_y = 90
near = 0.5

[[camera]]
eye = [0, -4, 1]
target = [0, 0, 1]
up = [1, 0, 0]
view_height = 4

[[camera]]
name = "frames"
transforms = "frames.json"
image_size = [10, 20]

[[light]]
kind = "ambient"
colour = 0.25
[[light]]
kind = "directional"
to_light = [0, 0, 2]
colour = "#ffffff"
[[light]]
kind = "point"
position = [1, 2, 3]
colour = [1, 0, 3]
falloff = "inverse_square"
[[light]]
kind = "hemisphere"
sky = 1.0
ground = [0.5, 0.25, 0.0]
[[light]]
kind = "spherical_harmonics"
coefficients = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]
"""


def test_everything_that_a_file_can_say(folder: Path) -> None:
    scene = load(folder, FULL)
    assert scene.background.tolist() == [1.0, 0.0, 0.0]
    assert scene.up == (0.0, 0.0, 1.0)
    box, other = scene.placed_parts
    assert (box.name, other.name) == ("box", "box")
    # Scaled, turned about x, then z, then moved: x -> x -> y; y -> 2 y -> 2 z -> 2 z; z -> 4 z -> -4 y -> 4 x.
    points = torch.tensor([[1.0, 0, 0, 1], [0, 1.0, 0, 1], [0, 0, 1.0, 1]]) @ box.transform.T
    expected = torch.tensor([[1.0, 3, 3], [1, 2, 5], [5, 2, 3]])
    torch.testing.assert_close(points[:, :3], expected, atol=1e-6, rtol=0)
    assert other.transform[:3].tolist() == [[0, 0, 1, 5], [0, 1, 0, 6], [-1, 0, 0, 7]]
    look = box.mesh.material
    torch.testing.assert_close(look.base_colour, torch.tensor([0.1, 0.2, 0.3]))
    assert look.specular.tolist() == [0.5] * 3
    assert float(look.shininess) == 12.0
    assert (look.normals, look.texture_filter, look.texture_wrap) == ("flat", "linear", "clamp")
    assert other.mesh.material is None

    assert list(scene.cameras) == ["front", "camera 1", "frames"]
    front, parallel, frames = scene.cameras.values()
    assert (front.image_size, front.near) == ((20, 30), 0.5)
    # fov_y 90: one unit above the middle at depth 4 is 10 / 4 pixels up, and up is z.
    torch.testing.assert_close(
        front.project(torch.tensor([[0.0, 0.0, 1.0]]))[0, 0], torch.tensor([15.0, 10 - 2.5, 4.0])
    )
    assert parallel.projection == "orthographic"
    assert parallel.image_size == (512, 512)
    # 4 units from top to bottom; up is x, so that right is -z.
    shown = parallel.project(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))[0, :, :2]
    torch.testing.assert_close(shown, torch.tensor([[256.0, 128.0], [384.0, 256.0]]), atol=1e-3, rtol=0)
    assert frames.batch_shape == (3,)
    assert frames.image_size == (10, 20)
    assert float(frames.K[0, 0, 0]) == pytest.approx(10.0)  # 20 wide, 90 degrees

    ambient, sun, lamp, sky, harmonics = scene.lights
    assert isinstance(ambient, AmbientLight)
    assert ambient.colour.tolist() == [0.25] * 3
    assert isinstance(sun, DirectionalLight)
    assert (sun.to_light.tolist(), sun.colour.tolist()) == ([0, 0, 2], [1, 1, 1])
    assert isinstance(lamp, PointLight)
    assert (lamp.position.tolist(), lamp.colour.tolist(), lamp.falloff) == ([1, 2, 3], [1, 0, 3], "inverse_square")
    above, below = sky.irradiance(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]]))[0]
    torch.testing.assert_close(above, torch.ones(3))
    torch.testing.assert_close(below, torch.tensor([0.5, 0.25, 0.0]), atol=1e-6, rtol=0)
    assert isinstance(harmonics, SphericalHarmonicsLight)
    assert harmonics.coefficients[3].tolist() == [10, 11, 12]


def test_folder_file_and_dtype_load_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = load(folder, HEAD)
    assert scene.cameras == {}
    assert scene.background.tolist() == [0, 0, 0]
    assert not scene.has_own_lights
    double = Scene.load(folder / "scene.toml", dtype=torch.float64)
    assert double.meshes[0].vertices.dtype == torch.float64
    torch.testing.assert_close(double.meshes[0].vertices.float(), scene.meshes[0].vertices)
    assert load(folder, FULL).render(camera="front").shape == (1, 20, 30, 4)
    monkeypatch.chdir(folder)
    for path in ("scene.toml", ".", "box.obj"):
        assert Scene.load(path).meshes[0].num_faces == 12


def test_several_objects_of_a_file_stand_together(folder: Path) -> None:
    made = trimesh.Scene()
    for i, name in enumerate(("left", "right")):
        place = trimesh.transformations.translation_matrix([3.0 * i, 0, 0])
        made.add_geometry(icosphere(0).to_trimesh(), node_name=name, transform=place)
    (folder / "two.glb").write_bytes(made.export(file_type="glb"))
    text = '[[mesh]]\nfile = "two.glb"\nname = "balls"\nposition = [0, 0, 9]\nmaterial = { base_colour = 0.5 }\n'
    scene = load(folder, text)
    parts = {part.name: part for part in scene.placed_parts}
    assert sorted(parts) == ["balls left", "balls right"]
    assert parts["balls right"].transform[:3, 3].tolist() == [3, 0, 9]
    assert all(part.mesh.material.base_colour.tolist() == [0.5] * 3 for part in scene.placed_parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("background = ", r"scene\.toml: cannot be read as TOML \(.*\)"),
        ("", r"scene\.toml: mesh: expected at least one \[\[mesh\]\], found none"),
        ("mesh = 3", r"scene\.toml: mesh: expected \[\[mesh\]\] tables"),
        ('[mesh]\nfile = "box.obj"', r"scene\.toml: mesh: expected \[\[mesh\]\] tables"),
        (f"colour = 3\n{HEAD}", r"scene\.toml: the file: expected only background, up, .*, got colour"),
        (f'background = "red"\n{HEAD}', r"scene\.toml: background: expected a colour such as #ffcc00, got 'red'"),
        (f"background = [1, 2]\n{HEAD}", r"scene\.toml: background: expected 3 finite numbers, got \[1, 2\]"),
        (f"background = true\n{HEAD}", r"scene\.toml: background: expected 3 finite numbers, got .*"),
        (f"background = -1\n{HEAD}", r"scene\.toml: background: expected light, which is not negative, got .*"),
        (f"up = [0, 0, 0]\n{HEAD}", r"scene\.toml: up: expected a direction, got 0 0 0"),
        (f'up = "z"\n{HEAD}', r"scene\.toml: up: expected 3 finite numbers, got 'z'"),
        ("[[mesh]]", r'scene\.toml: mesh\[0\]: expected file = "\.\.\.", got none'),
        ("[[mesh]]\nfile = 3", r"scene\.toml: mesh\[0\]\.file: expected text, got 3"),
        ('[[mesh]]\nfile = "no.obj"', r"no\.obj: no such file"),
        ('[[mesh]]\nfile = "box.xyz"', r"box\.xyz: expected a mesh file ending in .*"),
        (f"{HEAD}name = 3", r"scene\.toml: mesh\[0\]\.name: expected text, got 3"),
        (f"{HEAD}colour = 3", r"scene\.toml: mesh\[0\]: expected only file, name, .*, got colour"),
        (f"{HEAD}position = [1, 2]", r"scene\.toml: mesh\[0\]\.position: expected 3 finite numbers, got \[1, 2\]"),
        (f"{HEAD}position = [1, 2, nan]", r"scene\.toml: mesh\[0\]\.position: expected 3 finite numbers, got .*"),
        (f"{HEAD}rotation = 90", r"scene\.toml: mesh\[0\]\.rotation: expected 3 finite numbers, got 90"),
        (f"{HEAD}scale = 0", r"scene\.toml: mesh\[0\]\.scale: expected factors other than 0, got 0"),
        (f'{HEAD}scale = "big"', r"scene\.toml: mesh\[0\]\.scale: expected 3 finite numbers, got 'big'"),
        (f"{HEAD}matrix = 3", r"scene\.toml: mesh\[0\]\.matrix: expected 4 rows of 4 numbers, got 3"),
        (
            f"{HEAD}matrix = [[1], [1], [1], [1]]",
            r"scene\.toml: mesh\[0\]\.matrix: expected 4 finite numbers, got \[1\]",
        ),
        (
            f"{HEAD}matrix = [[1,0,0,0],[0,1,0,0],[0,0,0,0],[0,0,0,1]]",
            r"scene\.toml: mesh\[0\]\.matrix: expected an invertible matrix with the last row 0 0 0 1, got .*",
        ),
        (f"{HEAD}scale = 2\nmatrix = []", r"scene\.toml: mesh\[0\]: expected either matrix or scale, got both"),
        (f"{HEAD}material = 3", r"scene\.toml: mesh\[0\]\.material: expected a table, got 3"),
        (f"{HEAD}material = {{ color = 3 }}", r"scene\.toml: mesh\[0\]\.material: expected only .*, got color"),
        (f"{HEAD}material = {{ base_colour = [1] }}", r"scene\.toml: mesh\[0\]\.material\.base_colour: expected .*"),
        (
            f"{HEAD}material = {{ shininess = 0 }}",
            r"scene\.toml: mesh\[0\]\.material\.shininess: expected a positive .*",
        ),
        (
            f'{HEAD}material = {{ normals = "no" }}',
            r"scene\.toml: mesh\[0\]\.material\.normals: expected 'smooth' or .*",
        ),
        (f'{HEAD}material = {{ texture = "no.png" }}', r"no\.png: no such image"),
        (f'{HEAD}material = {{ texture = "text.png" }}', r"text\.png: cannot be read as an image \(.*\)"),
        (f"{HEAD}material = {{ texture = 3 }}", r"scene\.toml: mesh\[0\]\.material\.texture: expected text, got 3"),
        (f"{HEAD}[[camera]]", r"scene\.toml: camera\[0\]: expected eye or transforms, got neither"),
        (f"{HEAD}[[camera]]\neye = 3", r"scene\.toml: camera\[0\]\.eye: expected 3 finite numbers, got 3"),
        (
            f"{HEAD}[[camera]]\neye = [0, 0, 0]",
            r"scene\.toml: camera\[0\]\.eye: expected a point other than target, .*",
        ),
        (f"{HEAD}[[camera]]\neye = [0, 3, 0]", r"scene\.toml: camera\[0\]\.up: expected a direction across .*"),
        (f"{HEAD}[[camera]]\neye = [0, 0, 3]\nfov_y = 190", r"scene\.toml: camera\[0\]\.fov_y: .*"),
        (
            f'{HEAD}[[camera]]\neye = [0, 0, 3]\nfov_y = "x"',
            r"scene\.toml: camera\[0\]\.fov_y: expected a number, got 'x'",
        ),
        (
            f"{HEAD}[[camera]]\neye = [0, 0, 3]\nview_height = 0",
            r"scene\.toml: camera\[0\]\.view_height: expected a .*",
        ),
        (f"{HEAD}[[camera]]\neye = [0, 0, 3]\nnear = 0", r"scene\.toml: camera\[0\]\.near: expected a positive .*"),
        (f"{HEAD}[[camera]]\neye = [0, 0, 3]\nimage_size = 9", r"scene\.toml: camera\[0\]\.image_size: expected .*"),
        (
            f"{HEAD}[[camera]]\neye = [0, 0, 3]\nimage_size = [9, 9.5]",
            r"scene\.toml: camera\[0\]\.image_size: expected two positive whole numbers \(height, width\), got .*",
        ),
        (
            f"{HEAD}[[camera]]\neye = [0, 0, 3]\nfov_y = 3\nview_height = 2",
            r"scene\.toml: camera\[0\]: expected either fov_y or view_height, got both",
        ),
        (f"{HEAD}[[camera]]\nname = 3", r"scene\.toml: camera\[0\]\.name: expected text, got 3"),
        (
            f'{HEAD}[[camera]]\nname = "a"\neye = [0, 0, 3]\n[[camera]]\nname = "a"\neye = [0, 0, 3]',
            r"scene\.toml: camera\[1\]\.name: expected a name of its own, got 'a' again",
        ),
        (f'{HEAD}[[camera]]\ntransforms = "no.json"', r"no\.json: cannot be read as JSON \(FileNotFoundError\)"),
        (f'{HEAD}[[camera]]\ntransforms = "text.png"', r"text\.png: cannot be read as JSON \(JSONDecodeError\)"),
        (f'{HEAD}[[camera]]\ntransforms = "frames.json"', r"frames\.json: .*"),
        (
            f'{HEAD}[[camera]]\ntransforms = "frames.json"\nfov_y = 3',
            r"scene\.toml: camera\[0\]: expected either transforms or fov_y, got both",
        ),
        (f"{HEAD}[[light]]", r"scene\.toml: light\[0\]\.kind: expected one of ambient, .*, got None"),
        (f'{HEAD}[[light]]\nkind = "spot"', r"scene\.toml: light\[0\]\.kind: expected one of ambient, .*, got 'spot'"),
        (f'{HEAD}[[light]]\nkind = ["spot"]', r"scene\.toml: light\[0\]\.kind: expected text, got \['spot'\]"),
        (
            f'{HEAD}[[light]]\nkind = "ambient"\nto_light = 3',
            r"scene\.toml: light\[0\]: expected only colour, got to_light",
        ),
        (f'{HEAD}[[light]]\nkind = "ambient"\ncolour = [1]', r"scene\.toml: light\[0\]\.colour: expected 3 finite .*"),
        (
            f'{HEAD}[[light]]\nkind = "directional"\nto_light = [0, 0, 0]',
            r"scene\.toml: light\[0\]\.to_light: expected .*",
        ),
        (
            f'{HEAD}[[light]]\nkind = "point"\nfalloff = "linear"',
            r"scene\.toml: light\[0\]\.falloff: expected 'none' or .*",
        ),
        (f'{HEAD}[[light]]\nkind = "hemisphere"\nsky = "x"', r"scene\.toml: light\[0\]\.sky: expected a colour .*"),
        (
            f'{HEAD}[[light]]\nkind = "spherical_harmonics"\ncoefficients = 3',
            r"scene\.toml: light\[0\]\.coefficients: expected rows of 3 numbers, got 3",
        ),
        (
            f'{HEAD}[[light]]\nkind = "spherical_harmonics"\ncoefficients = [[1, 2, 3], [1, 2, 3]]',
            r"scene\.toml: light\[0\]\.coefficients: expected a float Tensor .*, got \(2, 3\)",
        ),
    ],
)
def test_every_mistake_is_one_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"^{folder}/{message}$"):
        load(folder, text)


def test_a_texture_for_a_mesh_without_coordinates(folder: Path) -> None:
    from PIL import Image

    Image.new("RGB", (2, 2)).save(folder / "t.png")
    with pytest.raises(DataError, match=rf"^{folder}/scene\.toml: mesh\[0\]\.material: uv: expected texture [^\n]*$"):
        load(folder, f'{HEAD}material = {{ texture = "t.png" }}')


def test_a_folder_called_like_an_entry_does_not_hide_the_file_of_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mesh").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(DataError, match=r"^mesh/scene\.toml: mesh\[0\]: expected file"):
        load(Path("mesh"), "[[mesh]]")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "nothing: no such file or folder"),
        ("nothing.toml", r"nothing\.toml: no such file"),
        ("", r": expected a folder with scene\.toml, found none"),
        ("text.png", r"text\.png: expected a folder, a \.toml file, or a mesh ending in .*"),
    ],
)
def test_places_that_are_no_scene(folder: Path, name: str, message: str) -> None:
    separator = "/" if name else ""
    with pytest.raises(DataError, match=f"^{folder}{separator}{message}$"):
        Scene.load(folder / name)


# -- GLB --------------------------------------------------------------------------------------------------------------

HALF = math.sqrt(0.5)
EXTENSION = "KHR_lights_punctual"


def glb(folder: Path, **changes) -> Path:
    """A cube, and below a node at (1, 2, 3) that is turned by 90° about y: two cameras and two lights."""
    cube().save(folder / "a.glb")
    data = (folder / "a.glb").read_bytes()
    tree = read_json(data)
    first = len(tree["nodes"])
    tree["nodes"] += [
        {"translation": [1, 2, 3], "rotation": [0, HALF, 0, HALF], "children": list(range(first + 1, first + 5))},
        {"name": "eye", "camera": 0, "translation": [0, 0, 10]},
        {"camera": 1, "scale": [2, 2, 2]},
        {"extensions": {EXTENSION: {"light": 0}}},
        {"extensions": {EXTENSION: {"light": 1}}, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 5, 0, 1]},
    ]
    tree["scenes"][0]["nodes"] = [*tree["scenes"][0]["nodes"], first]
    tree["cameras"] = [
        {"type": "perspective", "perspective": {"yfov": math.pi / 2, "znear": 0.25, "aspectRatio": 1.5}},
        {"type": "orthographic", "orthographic": {"xmag": 3, "ymag": 4, "znear": 0, "zfar": 9}},
    ]
    lights = [
        {"type": "directional", "color": [1, 0.5, 0], "intensity": math.pi},
        {"type": "point", "intensity": 2 * math.pi},
    ]
    tree["extensions"] = {EXTENSION: {"lights": lights}}
    for key, value in changes.items():
        tree[key] = value(tree[key]) if callable(value) else value
    (folder / "a.glb").write_bytes(with_json(data, tree))
    return folder / "a.glb"


def test_glb_with_cameras_and_lights_against_hand_computed_values(tmp_path: Path) -> None:
    scene = Scene.load(glb(tmp_path))
    assert list(scene.cameras) == ["eye", "camera 1"]
    eye, parallel = scene.cameras.values()
    # The parent's z axis is the world's x: the camera stands at x = 1 + 10 and looks along -x, up is y, right is -z.
    torch.testing.assert_close(eye.centre, torch.tensor([11.0, 2.0, 3.0]))
    assert eye.near == 0.25
    shown = eye.project(torch.tensor([[9.0, 2.0, 3.0], [9.0, 3.0, 3.0], [9.0, 2.0, 2.0]]))[0]
    expected = torch.tensor([[256.0, 256.0, 2.0], [256.0, 128.0, 2.0], [384.0, 256.0, 2.0]])
    torch.testing.assert_close(shown, expected, atol=1e-3, rtol=0)
    assert parallel.projection == "orthographic"
    shown = parallel.project(torch.tensor([[0.0, 2.0 + 4.0, 3.0], [0.0, 2.0, 3.0 - 4.0]]))[0]
    torch.testing.assert_close(shown[:, :2], torch.tensor([[256.0, 0.0], [512.0, 256.0]]), atol=1e-3, rtol=0)
    sun, lamp = scene.lights
    # Light shines along -z of its node: from +x of the world. π lux on white paper shows 1.
    torch.testing.assert_close(sun.to_light, torch.tensor([1.0, 0.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(sun.colour, torch.tensor([1.0, 0.5, 0.0]))
    torch.testing.assert_close(lamp.position, torch.tensor([1.0, 7.0, 3.0]))
    torch.testing.assert_close(lamp.colour, torch.full((3,), 2.0))
    assert lamp.falloff == "inverse_square"
    assert scene.has_own_lights
    double = Scene.load(glb(tmp_path), dtype=torch.float64)
    assert double.camera("eye").dtype == torch.float64
    assert double.render(camera=double.camera("eye").resize((16, 16))).dtype == torch.float64


def test_glb_written_by_trimesh(tmp_path: Path) -> None:
    made = trimesh.Scene(icosphere(1).to_trimesh())
    made.camera = trimesh.scene.Camera(name="lens", resolution=(64, 48), fov=(60, 40))
    made.camera_transform = trimesh.transformations.translation_matrix([0.5, 1.0, 4.0])
    (tmp_path / "a.glb").write_bytes(made.export(file_type="glb"))
    scene = Scene.load(tmp_path / "a.glb")
    (camera,) = scene.cameras.values()
    torch.testing.assert_close(camera.centre, torch.tensor([0.5, 1.0, 4.0]))
    torch.testing.assert_close(camera.project(torch.tensor([[0.5, 1.0, 0.0]]))[0, 0, :2], torch.tensor([256.0, 256.0]))
    assert float(camera.K[1, 1]) == pytest.approx(256 / math.tan(math.radians(20)), rel=1e-5)
    assert not scene.has_own_lights


def test_cameras_of_the_same_name_are_all_there(tmp_path: Path) -> None:
    path = glb(tmp_path, nodes=lambda nodes: [{**n, "name": "eye"} if "camera" in n else n for n in nodes])
    assert list(Scene.load(path).cameras) == ["eye", "eye again"]


def light(**fields) -> dict:
    return {EXTENSION: {"lights": [fields, fields]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extensions": light(type="spot")}, "lights: expected directional or point lights, got 'spot'"),
        ({"extensions": {EXTENSION: {"lights": []}}}, r"cannot be read as GLB \(.*\)"),
        ({"extensions": {EXTENSION: []}}, r"cannot be read as GLB \(.*\)"),
        ({"extensions": light(type="point", color="red")}, r"cannot be read as GLB \(.*\)"),
        ({"materials": [{"pbrMetallicRoughness": {"baseColorFactor": 3}}]}, r"cannot be read as GLB \(.*\)"),
        ({"materials": [{"pbrMetallicRoughness": {"baseColorFactor": "red"}}]}, r"cannot be read as GLB \(.*\)"),
        ({"materials": 7}, r"cannot be read as GLB \(.*\)"),
        ({"cameras": []}, r"cannot be read as GLB \(.*\)"),
        ({"cameras": [{"type": "perspective"}] * 2}, r"cannot be read as GLB \(KeyError: 'perspective'\)"),
        (
            {"cameras": [{"type": "perspective", "perspective": {"yfov": 1.0, "znear": -1}}] * 2},
            "near: expected a positive distance, got -1.0",
        ),
        (
            {"cameras": [{"type": "perspective", "perspective": {"yfov": 7.0, "znear": 1}}] * 2},
            "(fov_y: |cannot be read as GLB ).*",
        ),
        ({"nodes": lambda nodes: [*nodes[:-1], {**nodes[-1], "matrix": [1, 2, 3]}]}, r"cannot be read as GLB \(.*\)"),
    ],
)
def test_broken_glb_files_are_one_line(tmp_path: Path, changes: dict, message: str) -> None:
    path = glb(tmp_path, **changes)
    with pytest.raises(DataError, match=f"^{path}: {message}$"):
        Scene.load(path)


def test_a_glb_whose_nodes_go_round_in_a_circle(tmp_path: Path) -> None:
    from renderer.scene.gltf import read_cameras_and_lights

    path = glb(tmp_path, nodes=lambda nodes: [{**n, "children": list(range(len(nodes)))} for n in nodes[:1]])
    with pytest.raises(DataError, match=rf"^{path}: cannot be read as GLB \([^\n]*\)$"):
        read_cameras_and_lights(path, image_size=(8, 8))


@pytest.mark.parametrize("data", [b"", b"rubbish", struct.pack("<5I", 0x46546C67, 2, 24, 4, 0x4E4F534A) + b"[[[["])
def test_no_glb(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.glb").write_bytes(data)
    with pytest.raises(DataError, match=rf"^{tmp_path}/a\.glb: cannot be read as GLB \([^\n]*\)$"):
        Scene.load(tmp_path / "a.glb")


def test_replacing_the_json_keeps_the_rest(tmp_path: Path) -> None:
    textured = cube().with_appearance(material=Material((0.25, 0.5, 0.75)))
    textured.save(tmp_path / "a.glb")
    data = (tmp_path / "a.glb").read_bytes()
    again = with_json(data, {**read_json(data), "extras": {"note": "ä" * 7}})
    assert read_json(again)["extras"] == {"note": "ä" * 7}
    assert struct.unpack_from("<I", again, 8)[0] == len(again)
    assert again[-100:] == data[-100:]
    with pytest.raises(ValueError, match="not a complete GLB file"):
        read_json(data[:100])
