import numpy as np
import pytest
import torch

from renderer.scene.errors import DataError
from renderer.scene.files import MESH_EXTENSIONS
from renderer.scene.mesh import Mesh, MeshBatch
from renderer.scene.primitives import cube, icosphere, torus

EXACT = (".obj", ".off")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("extension", MESH_EXTENSIONS)
def test_round_trip(tmp_path, extension, dtype):
    mesh = torus(segments=12, sides=7, dtype=dtype)
    mesh = mesh.with_vertices(mesh.vertices * 1e-3 + 5)
    path = tmp_path / f"ring{extension}"
    mesh.save(path)
    back = Mesh.load(path, dtype=dtype)
    assert back.vertices.dtype == dtype
    assert back.is_watertight
    assert back.genus == 1
    stored = mesh.vertices if extension in EXACT else mesh.vertices.float().to(dtype)
    if extension == ".stl":  # no vertex order: the corners of the faces are what it stores
        assert torch.equal(back.face_vertices, stored[mesh.faces])
    else:
        assert torch.equal(back.vertices, stored)
        assert torch.equal(back.faces, mesh.faces)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_extension_in_capitals(tmp_path):
    cube().save(tmp_path / "BOX.OBJ")
    assert Mesh.load(tmp_path / "BOX.OBJ").num_faces == 12


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "box.ply"
    cube().save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="vertices: expected one mesh"):
        MeshBatch([cube()])[0].with_vertices(torch.zeros(2, 8, 3)).save(path)

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        icosphere(1).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


OBJ = """# a square, cut in two ways
mtllib missing.mtl
v 0 0 0 1.0 0.5 0.5
v 1 0 0
v 1 1 \\
  0
v 0 1 0
vt 0 0
vt 1 1
vn 0 0 1
o first
usemtl red
f 1/1/1 2/2/1 3/1/1 4/2/1   # a polygon
o second
f 1//1 2//1 3//1
f -4 -2 -1
f 1/2 3 4/1
"""


def test_obj_keeps_vertices_shared_across_texture_seams_and_normals(tmp_path):
    path = tmp_path / "square.obj"
    path.write_text(OBJ)
    mesh = Mesh.load(path)
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 3], [0, 2, 3]]


def test_polygons_in_off_and_ply(tmp_path):
    (tmp_path / "a.off").write_text("OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    header = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "a.ply").write_text(header + "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    for name in ("a.off", "a.ply"):
        mesh = Mesh.load(tmp_path / name)
        assert float(mesh.face_areas.sum()) == pytest.approx(1.0)
        assert mesh.num_vertices == 4


def test_stl_merges_only_equal_corners(tmp_path):
    text = "solid s\n"
    for corners in ([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(1, 0, "-0.0"), (1, 1, 0), (0, 1.0001, 0)]):
        vertices = "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
        text += f"facet normal 0 0 1\nouter loop\n{vertices}endloop\nendfacet\n"
    (tmp_path / "a.stl").write_text(text + "endsolid s\n")
    mesh = Mesh.load(tmp_path / "a.stl")
    assert mesh.num_vertices == 5
    assert mesh.faces.tolist() == [[0, 1, 2], [1, 3, 4]]


def test_glb_with_a_transform(tmp_path):
    import trimesh

    scene = trimesh.Scene()
    scene.add_geometry(cube().to_trimesh(), transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(icosphere(1).to_trimesh())
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    mesh = Mesh.load(tmp_path / "two.glb")
    assert mesh.num_components == 2
    np.testing.assert_allclose(mesh.bounds[1, 0], 6.0)


PLY = (
    "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    "element face {faces}\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n{x} 0 0\n0 1 0\n{face}"
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.obj", "v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "vertices: expected finite numbers, 1 of 3 are not"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n\nf 1 2 4\n", "line 5: expected vertex indices from 1 to 3, got 4"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", r"line 4: expected vertex indices from 1 .*, got 0"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 -4\n", r"line 4: expected vertex indices from 1 .*, got -4"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "faces: expected at least one face, got none"),
        ("a.obj", "", "faces: expected at least one face, got none"),
        ("a.obj", "v 0 0\n", "line 1: expected v x y z, got v 0 0"),
        ("a.obj", "v 0 0 zero\n", "expected numbers in v lines .*zero.*"),
        ("a.obj", "v 0 0 0\nf 1 1\n", "line 2: expected a face of at least 3 corners, got 2"),
        ("a.obj", "v 0 0 0\nf a b c\n", "line 2: expected a vertex index, got a"),
        ("a.ply", PLY.format(faces=1, x="nan", face="3 0 1 2\n"), "vertices: expected finite numbers, 1 of 3 are not"),
        ("a.ply", PLY.format(faces=1, x="1", face="3 0 1 7\n"), "faces: expected indices from 0 to 2, got 7"),
        ("a.ply", PLY.format(faces=0, x="1", face=""), "faces: expected at least one face, got none"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 5\n", ".*(from 0 to 2|outside the range).*"),
        ("a.off", "OFF\n3 1 0\n0 0 0\nnan 0 0\n0 1 0\n3 0 1 2\n", "vertices: expected finite numbers, 1 of 3 are not"),
        ("a.off", "rubbish", "cannot be read as OFF .*"),
        ("a.ply", "rubbish", "cannot be read as PLY .*"),
        ("a.stl", "rubbish", ".*"),
        ("a.glb", "rubbish", "cannot be read as GLB .*"),
        ("a.xyz", "", "expected a mesh file ending in .obj, .ply, .stl, .off, .glb"),
    ],
)
def test_bad_files_are_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=rf"^[^\n]*{name}: {message}$"):
        Mesh.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nothing.obj: no such file$"):
        Mesh.load(tmp_path / "nothing.obj")


@pytest.mark.parametrize("extension", [".ply", ".glb", ".stl"])
def test_truncated_binary_files(tmp_path, extension):
    path = tmp_path / f"half{extension}"
    icosphere(1).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=rf"^[^\n]*half{extension}: [^\n]*$"):
        Mesh.load(path)
