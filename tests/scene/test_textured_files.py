"""Materials, textures and colours in mesh files."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from renderer.scene import AmbientLight, DataError, Lights, Material, Mesh, Scene, cube, grid, icosphere
from renderer.scene.colours import linear_from_srgb
from renderer.scene.files import load_parts
from renderer.shading.surface import corner_values, make_surface

PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [188, 188, 188]]], dtype=np.uint8)

TETRAHEDRON = """mtllib look.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 0
vt 0 1
usemtl skin
f 1/1 3/3 2/2
f 1/2 2/1 4/3
f 1/3 4/1 3/2
f -3/-1 -2/-2 -1/-3
"""


def write(folder: Path, **files: str | bytes) -> Path:
    """Files by name, with _ for the dot; the path of the first."""
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder / next(iter(files)).replace("_", ".")


def picture(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    iio.imwrite(folder / name, PIXELS)


def corner_colours(mesh: Mesh) -> torch.Tensor:
    """The colours at the corners of the faces, with the material's."""
    colours = make_surface([mesh]).colours
    base = torch.ones(3) if mesh.material is None else mesh.material.base_colour
    return base.expand(mesh.num_faces, 3, 3) if colours is None else base * corner_values(colours)[0]


def textured(mesh: Mesh, **options) -> Mesh:
    """With one corner of texture coordinates for every corner of a face, so that every edge is a seam."""
    uv = torch.rand(3 * mesh.num_faces, 2, generator=torch.Generator().manual_seed(0))
    image = linear_from_srgb(torch.from_numpy(PIXELS).float() / 255)
    rows = torch.arange(len(uv)).reshape(-1, 3)
    return mesh.with_appearance(uv=uv, uv_faces=rows, material=Material(texture=image, **options))


# -- OBJ -----------------------------------------------------------------------------------------------------------


def test_obj_with_material_seams_and_negative_indices(tmp_path: Path) -> None:
    picture(tmp_path, "t.png")
    mtl = "newmtl other\nKd 1 0 0\nnewmtl skin\nKa 1 1 1\nKd 0.5 0.25 1\nKs 0.1 0.2 0.3\nNs 20\nillum 2\nmap_Kd t.png\n"
    mesh = Mesh.load(write(tmp_path, a_obj=TETRAHEDRON, look_mtl=mtl))
    assert mesh.is_watertight
    assert mesh.faces[3].tolist() == [1, 2, 3]
    assert mesh.uv_faces.tolist() == [[0, 2, 1], [1, 0, 2], [2, 0, 1], [2, 1, 0]]
    look = mesh.material
    assert look.base_colour.tolist() == [0.5, 0.25, 1.0]
    torch.testing.assert_close(look.specular, torch.tensor([0.1, 0.2, 0.3]))
    assert float(look.shininess) == 20.0
    # Row 0 is on top, and the values are light, not the file's bytes: sRGB 188 is just above half of the light.
    assert look.texture[0, 0].tolist() == [1.0, 0.0, 0.0]
    torch.testing.assert_close(look.texture[1, 1], torch.full((3,), 0.5029), atol=1e-4, rtol=0)
    assert Mesh.load(tmp_path / "a.obj", appearance=False).material is None


@pytest.mark.parametrize(
    ("line", "wrap"),
    [
        ("map_Kd my tex.png", "repeat"),
        ("map_Kd -s 1 1 1 -clamp on my tex.png", "clamp"),
        ("map_kd -o 0.5 my tex.png # the skin", "repeat"),
        ("map_Kd -mm 0 1 -clamp off maps\\a b#1.png", "repeat"),
        ("map_Kd -odd.png", "repeat"),
    ],
)
def test_names_and_options_of_textures(tmp_path: Path, line: str, wrap: str) -> None:
    for name in ("my tex.png", "maps/a b#1.png", "-odd.png"):
        picture(tmp_path, name)
    mesh = Mesh.load(write(tmp_path, a_obj=TETRAHEDRON, look_mtl=f"newmtl skin\n{line}\n"))
    assert tuple(mesh.material.texture.shape) == (2, 2, 3)
    assert mesh.material.texture_wrap == wrap


@pytest.mark.parametrize("line", ["one.mtl two.mtl", "my look.mtl", "one.mtl\nmtllib two.mtl"])
def test_material_libraries(tmp_path: Path, line: str) -> None:
    for name in ("two.mtl", "my look.mtl"):
        (tmp_path / name).write_text("newmtl skin\nKd .25\n")
    (tmp_path / "one.mtl").write_text("newmtl bone\nKd 1 1 1\n")
    mesh = Mesh.load(write(tmp_path, a_obj=TETRAHEDRON.replace("look.mtl", line)))
    assert mesh.material.base_colour.tolist() == [0.25] * 3


SQUARE = """mtllib look.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
usemtl dark red
f 1/1 2/2 3/3
usemtl blue
f 1/1 3/3 4/2
"""
TWO = "newmtl dark red\nKd 0.5 0 0\nnewmtl blue\nKd 0 0 1\n"


def test_several_plain_materials_are_face_colours_of_one_mesh_and_parts_of_a_scene(tmp_path: Path) -> None:
    path = write(tmp_path, a_obj=SQUARE, look_mtl=TWO)
    mesh = Mesh.load(path)
    assert mesh.material is None
    assert mesh.face_colours.tolist() == [[0.5, 0.0, 0.0], [0.0, 0.0, 1.0]]
    red, blue = load_parts(path)
    assert (red.name, blue.name) == ("dark red", "blue")
    assert blue.mesh.vertices.tolist() == [[0, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert blue.mesh.material.base_colour.tolist() == [0.0, 0.0, 1.0]


def test_a_picture_that_several_materials_share_is_read_once(tmp_path: Path) -> None:
    picture(tmp_path, "t.png")
    mtl = "newmtl dark red\nmap_Kd t.png\nnewmtl blue\nmap_Kd t.png\n"
    red, blue = load_parts(write(tmp_path, a_obj=SQUARE, look_mtl=mtl))
    assert red.mesh.material.texture is blue.mesh.material.texture


def test_several_textures_are_parts_of_a_scene_only(tmp_path: Path) -> None:
    picture(tmp_path, "t.png")
    path = write(tmp_path, a_obj=SQUARE, look_mtl=TWO + "map_Kd t.png\n")
    with pytest.raises(DataError, match=r"^[^\n]*a\.obj: several materials with textures: Scene\.load keeps them"):
        Mesh.load(path)
    red, blue = Scene.load(path).placed_parts
    assert red.mesh.material.texture is None
    assert tuple(blue.mesh.material.texture.shape) == (2, 2, 3)
    assert Mesh.load(path, appearance=False).num_faces == 2


def test_vertex_colours_are_srgb_in_obj_and_ply(tmp_path: Path) -> None:
    text = "v 0 0 0 1 0 0\nv 1 0 0 0.5 0.5 0.5\nv 0 1 0 0 0.2 1\nf 1 2 3\n"
    colours = Mesh.load(write(tmp_path, a_obj=text)).vertex_colours
    expected = linear_from_srgb(torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.0, 0.2, 1.0]]))
    torch.testing.assert_close(colours, expected)
    Mesh.load(tmp_path / "a.obj").save(tmp_path / "b.ply")
    torch.testing.assert_close(Mesh.load(tmp_path / "b.ply").vertex_colours, expected, atol=0.005, rtol=0)
    header = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    header += "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    header += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    text = header + "0 0 0 255 0 0\n1 0 0 188 188 188\n0 1 0 0 0 0\n3 0 1 2\n"
    mesh = Mesh.load(write(tmp_path, c_ply=text))
    assert mesh.vertex_colours[0].tolist() == [1.0, 0.0, 0.0]
    assert float(mesh.vertex_colours[1, 0]) == pytest.approx(0.5029, abs=1e-4)


# -- save and load --------------------------------------------------------------------------------------------------


def test_obj_round_trip(tmp_path: Path) -> None:
    mesh = textured(icosphere(1), base_colour=(0.1, 0.2, 0.3), specular=0.4, shininess=7.0, texture_wrap="clamp")
    mesh = mesh.with_appearance(vertex_colours=torch.rand(mesh.num_vertices, 3))
    mesh.save(tmp_path / "my ball.obj")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["my ball.mtl", "my ball.obj", "my ball.png"]
    back = Mesh.load(tmp_path / "my ball.obj")
    for name in ("vertices", "faces", "uv", "uv_faces"):
        assert torch.equal(getattr(back, name), getattr(mesh, name))
    torch.testing.assert_close(back.vertex_colours, mesh.vertex_colours)
    for name in ("base_colour", "specular", "shininess", "texture"):
        torch.testing.assert_close(getattr(back.material, name), getattr(mesh.material, name))
    assert back.material.texture_wrap == "clamp"


def test_glb_round_trip_keeps_a_closed_textured_mesh_closed(tmp_path: Path) -> None:
    mesh = textured(icosphere(1), base_colour=(0.2, 0.4, 0.6))
    mesh.save(tmp_path / "a.glb")
    back = Mesh.load(tmp_path / "a.glb")
    assert back.is_watertight
    assert back.num_vertices == mesh.num_vertices
    # Order of vertices aside, the faces are the same, corner by corner.
    order = [sorted(range(len(m.faces)), key=lambda f: m.face_vertices[f].mean(0).tolist()) for m in (mesh, back)]
    for values in (lambda m: m.face_vertices, lambda m: m.uv[m.uv_faces]):
        torch.testing.assert_close(values(back)[order[1]], values(mesh)[order[0]])
    torch.testing.assert_close(back.material.base_colour, mesh.material.base_colour)
    torch.testing.assert_close(back.material.texture, mesh.material.texture)


@pytest.mark.parametrize("extension", [".ply", ".glb"])
@pytest.mark.parametrize("fields", ["vertex", "face", "vertex face", "base", "base vertex"])
def test_colours_round_trip(tmp_path: Path, fields: str, extension: str) -> None:
    torch.manual_seed(1)
    mesh = cube()
    if "vertex" in fields:
        mesh = mesh.with_appearance(vertex_colours=torch.rand(8, 3))
    if "face" in fields:
        mesh = mesh.with_appearance(face_colours=torch.rand(12, 3))
    if "base" in fields:
        mesh = mesh.with_appearance(material=Material((0.9, 0.5, 0.1)))
    mesh.save(tmp_path / f"a{extension}")
    back = Mesh.load(tmp_path / f"a{extension}")
    torch.testing.assert_close(back.face_vertices, mesh.face_vertices)
    torch.testing.assert_close(corner_colours(back), corner_colours(mesh), atol=0.006, rtol=0)
    if "face" not in fields:
        assert back.is_watertight


def test_dark_base_colours_of_glb_are_not_rounded_to_8_bits(tmp_path: Path) -> None:
    for i, colour in enumerate([(0.003, 0.2, 0.5), (0.0, 1e-4, 1.0)]):
        cube().with_appearance(material=Material(colour)).save(tmp_path / f"{i}.glb")
        torch.testing.assert_close(Mesh.load(tmp_path / f"{i}.glb").material.base_colour, torch.tensor(colour))


def test_glb_of_several_objects(tmp_path: Path) -> None:
    """A factor over a texture, vertex colours (linear), and transforms of nodes below nodes."""
    image = Image.fromarray(PIXELS)
    plane = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    pbr = trimesh.visual.material.PBRMaterial(baseColorTexture=image, baseColorFactor=[0.4, 1.0, 0.2, 1.0])
    plane.visual = trimesh.visual.TextureVisuals(uv=[[0, 0], [1, 0], [0, 1]], material=pbr)
    ball = icosphere(0).to_trimesh()
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=np.full((12, 4), (128, 255, 0, 255), np.uint8))
    scene = trimesh.Scene()
    shift, turn = (
        trimesh.transformations.translation_matrix([0, 0, 5]),
        trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1]),
    )
    scene.add_geometry(plane, node_name="plane", transform=shift)
    scene.add_geometry(ball, node_name="ball", parent_node_name="plane", transform=turn)
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    parts = {part.name: part for part in load_parts(tmp_path / "a.glb")}
    look = parts["plane"].mesh.material
    torch.testing.assert_close(look.base_colour, torch.tensor([0.4, 1.0, 0.2]))
    assert look.texture[1, 0].tolist() == [0.0, 0.0, 1.0]
    assert parts["plane"].mesh.uv.tolist() == [[0, 0], [1, 0], [0, 1]]
    torch.testing.assert_close(parts["ball"].mesh.vertex_colours[0], torch.tensor([128 / 255, 1.0, 0.0]))
    expected = torch.tensor(shift @ turn, dtype=torch.float32)
    torch.testing.assert_close(parts["ball"].transform, expected, atol=1e-6, rtol=0)


def test_objects_of_different_colours_are_one_mesh(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for i, colour in enumerate([(1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)]):
        ball = icosphere(0).to_trimesh()
        look = trimesh.visual.material.PBRMaterial(baseColorFactor=colour)
        ball.visual = trimesh.visual.TextureVisuals(material=look)
        scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([3 * i, 0, 0]))
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    mesh = Mesh.load(tmp_path / "a.glb")
    assert mesh.num_components == 2
    assert mesh.face_colours.unique(dim=0).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


# -- errors ---------------------------------------------------------------------------------------------------------

PNG = "newmtl skin\nmap_Kd t.png\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a_obj": TETRAHEDRON, "look_mtl": PNG}, r"t\.png: no such image"),
        ({"a_obj": TETRAHEDRON, "look_mtl": PNG, "t_png": "no picture"}, r"t\.png: cannot be read as an image \(.*\)"),
        (
            {"a_obj": TETRAHEDRON, "look_mtl": "newmtl skin\nKd red\n"},
            r"look\.mtl: line 2: expected numbers, got Kd red",
        ),
        (
            {"a_obj": TETRAHEDRON, "look_mtl": "newmtl skin\n\nKd 1 1\n"},
            r"look\.mtl: line 3: Kd: expected 3 finite numbers, got \(1\.0, 1\.0\)",
        ),
        (
            {"a_obj": TETRAHEDRON, "look_mtl": "newmtl skin\nKs 1 1 -1\n"},
            r"look\.mtl: line 2: Ks: expected light, which is not negative, got .*",
        ),
        ({"a_obj": TETRAHEDRON, "look_mtl": "newmtl skin\nNs\n"}, r"look\.mtl: line 2: expected numbers, got Ns"),
        ({"a_obj": TETRAHEDRON, "look_mtl": "newmtl skin\nNs nan\n"}, r"look\.mtl: line 2: .*"),
        (
            {"a_obj": TETRAHEDRON.replace("1/1 3/3 2/2", "1/1 3/9 2/2")},
            r"a\.obj: line 10: expected texture indices from 1 to 3, got 9",
        ),
        (
            {"a_obj": TETRAHEDRON.replace("1/1 3/3 2/2", "1/1 3/x 2/2")},
            r"a\.obj: line 10: expected a texture index, got 3/x",
        ),
        ({"a_obj": TETRAHEDRON.replace("vt 1 0", "vt one 0")}, r"a\.obj: expected numbers in vt lines \(.*\)"),
        ({"a_obj": TETRAHEDRON.replace("vt 1 0", "vt")}, r"a\.obj: line 7: expected vt u v, got vt"),
        ({"a_obj": TETRAHEDRON.replace("vt 1 0", "vt nan 0")}, r"a\.obj: uv: expected finite numbers, some are not"),
        (
            {"a_obj": "v 0 0 0 255 0 0\nv 1 0 0 0 0 0\nv 0 1 0 0 0 0\nf 1 2 3\n"},
            r"a\.obj: expected vertex colours from 0 to 1, got 0 to 255",
        ),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    path = write(tmp_path, **files)
    for load in (Mesh.load, Scene.load):
        with pytest.raises(DataError, match=rf"^{tmp_path}/{message}$"):
            load(path)


def test_a_textured_face_without_texture_coordinates(tmp_path: Path) -> None:
    picture(tmp_path, "t.png")
    path = write(tmp_path, a_obj=TETRAHEDRON.replace("1/1 3/3 2/2", "1 3 2"), look_mtl=PNG)
    with pytest.raises(DataError, match=r"^[^\n]*a\.obj: expected texture coordinates at every corner of a textured"):
        Mesh.load(path)


def coloured(**fields) -> Mesh:
    return cube().with_appearance(**fields)


@pytest.mark.parametrize(
    ("mesh", "extension", "message"),
    [
        (coloured(face_colours=torch.rand(12, 3)), ".obj", "face_colours: expected none, as OBJ files have no place"),
        (
            coloured(vertex_colours=torch.rand(8, 3)),
            ".stl",
            "vertex_colours: expected none, as STL files have no place",
        ),
        (coloured(material=Material(0.5)), ".off", "material: expected none, as OFF files have no place"),
        (textured(cube()), ".ply", "texture: expected none, as PLY files have no place"),
        (coloured(vertex_colours=torch.full((8, 3), 1.5)), ".ply", r"colours: expected values in \[0, 1\], got 1.5"),
        (coloured(vertex_colours=torch.full((8, 3), 1.5)), ".obj", r"vertex_colours: expected values in \[0, 1\]"),
        (coloured(material=Material(1.5)), ".glb", r"base_colour: expected values in \[0, 1\]"),
        (coloured(vertex_colours=torch.rand(2, 8, 3)), ".obj", "vertex_colours: expected one mesh, got a batch"),
        (coloured(material=Material(torch.rand(2, 3))), ".obj", "base_colour: expected one colour, got a batch"),
        (coloured(material=Material(torch.rand(2, 3))), ".ply", "base_colour: expected one colour, got a batch"),
        (
            textured(cube()).with_appearance(vertex_colours=torch.rand(8, 3)),
            ".glb",
            "material: expected no texture beside vertex or face colours",
        ),
        (
            textured(cube()).with_appearance(material=Material(texture=torch.full((2, 2, 3), 2.0))),
            ".obj",
            r"texture: expected values in \[0, 1\], got 2 to 2",
        ),
        (
            textured(cube()).with_appearance(material=Material(texture=torch.rand(2, 2, 2, 3))),
            ".glb",
            r"texture: expected one texture \(h, w, 3\), got \(2, 2, 2, 3\)",
        ),
    ],
)
def test_what_cannot_be_saved_says_so(tmp_path: Path, mesh: Mesh, extension: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}[^\n]*$"):
        mesh.save(tmp_path / f"a{extension}")
    assert list(tmp_path.iterdir()) == []


def test_a_texture_of_a_plane_is_seen_the_right_way_up(tmp_path: Path) -> None:
    plane = grid(1, 1)
    uv = plane.vertices[:, :2] / 2 + 0.5
    image = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]], [[0, 0, 1.0], [1.0, 1, 1]]])
    look = Material(texture=image, texture_filter="nearest")
    mesh = plane.with_appearance(uv=uv, material=look)
    for extension in (".obj", ".glb"):
        mesh.save(tmp_path / f"a{extension}")
        back = Mesh.load(tmp_path / f"a{extension}")
        scene = Scene(
            [back.with_appearance(material=Material(texture=back.material.texture, texture_filter="nearest"))]
        )
        view = scene.framed(elevation=0.0, azimuth=0.0, image_size=(16, 16), projection="orthographic")
        shown = scene.render(camera=view, lights=Lights(AmbientLight(1.0)))[0, ..., :3]
        assert torch.equal(shown[5, 5], image[0, 0])
        assert torch.equal(shown[5, 10], image[0, 1])
        assert torch.equal(shown[10, 5], image[1, 0])
