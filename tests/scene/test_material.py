"""Materials, colours, and what a mesh carries besides its shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from renderer.scene import DataError, Material, Mesh, cube, icosphere
from renderer.scene.colours import as_colour, as_numbers, as_vector, encoded_colours, linear_from_srgb, srgb_from_linear

# -- colours ----------------------------------------------------------------------------------------------------------


def test_colours_as_people_write_them() -> None:
    assert as_colour(0.5, name="c").tolist() == [0.5] * 3
    assert as_colour((1, 0, 0.25), name="c").tolist() == [1.0, 0.0, 0.25]
    assert as_colour([2.0, 3.0, 4.0], name="c").tolist() == [2.0, 3.0, 4.0]
    # The web's colours are sRGB; 188 is about half of the light of 255.
    torch.testing.assert_close(as_colour("#FF00bc", name="c"), torch.tensor([1.0, 0.0, 0.5029]), atol=1e-4, rtol=0)
    own = nn.Parameter(torch.rand(2, 3))
    assert as_colour(own, name="c") is own
    assert as_vector((-1, 0, 2), name="v").tolist() == [-1.0, 0.0, 2.0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("red", "c: expected a colour such as #ffcc00, got 'red'"),
        ("#ffcc0", "c: expected a colour such as #ffcc00, got '#ffcc0'"),
        ("#ffcc00\n", r"c: expected a colour such as #ffcc00, got '#ffcc00\\n'"),
        ((1, 2), r"c: expected 3 finite numbers, got \(1, 2\)"),
        ((1, 2, "3"), r"c: expected 3 finite numbers, got \(1, 2, '3'\)"),
        ((1, 2, True), r"c: expected 3 finite numbers, got \(1, 2, True\)"),
        ((1, 2, float("nan")), "c: expected 3 finite numbers, got .*"),
        (-0.5, r"c: expected light, which is not negative, got \[-0.5, -0.5, -0.5\]"),
        (None, "c: expected 3 finite numbers, got None"),
        (torch.tensor([1, 2, 3]), r"c: expected a float Tensor \(..., 3\), got torch.int64 \(3,\)"),
        (torch.rand(4), r"c: expected a float Tensor \(..., 3\), got torch.float32 \(4,\)"),
        (torch.tensor(1.0), r"c: expected a float Tensor \(..., 3\), got torch.float32 \(\)"),
    ],
)
def test_what_is_no_colour(value: object, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        as_colour(value, name="c")


def test_one_number_is_called_so() -> None:
    with pytest.raises(DataError, match=r"^n: expected a finite number, got '3'$"):
        as_numbers("3", 1, name="n")


def test_transfer_functions_are_inverse_and_known() -> None:
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(linear_from_srgb(srgb_from_linear(values)), values, atol=1e-7, rtol=0)
    # IEC 61966-2-1: linear up to 0.0031308, where the encoded value is 0.04045.
    assert float(srgb_from_linear(torch.tensor(0.0031308, dtype=torch.float64))) == pytest.approx(0.04045, abs=1e-5)
    assert float(srgb_from_linear(torch.tensor(0.2140, dtype=torch.float64))) == pytest.approx(0.5, abs=1e-4)
    for bad in (1.01, -0.01, float("nan")):
        with pytest.raises(ValueError, match=r"^t: expected values in \[0, 1\], got "):
            encoded_colours(torch.tensor([0.5, bad]), name="t")


# -- materials --------------------------------------------------------------------------------------------------------


def test_material_holds_tensors_that_can_be_learnt() -> None:
    texture, shininess = nn.Parameter(torch.rand(4, 4, 3)), nn.Parameter(torch.tensor(8.0))
    look = Material("#ffffff", texture=texture, specular=0.25, shininess=shininess)
    assert look.texture is texture
    assert look.shininess is shininess
    assert look.base_colour.tolist() == [1.0] * 3
    assert look.specular.tolist() == [0.25] * 3
    moved = look.to(torch.float64)
    assert {moved.base_colour.dtype, moved.texture.dtype, moved.specular.dtype, moved.shininess.dtype} == {
        torch.float64
    }
    assert not look.detach().texture.requires_grad
    assert look.detach().normals == look.normals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_colour": "blue"}, "base_colour: expected a colour such as #ffcc00, got 'blue'"),
        ({"specular": -1.0}, "specular: expected light, which is not negative, got .*"),
        ({"texture": torch.rand(4, 4)}, r"texture: expected a float Tensor \(h, w, 3\) or .*, got \(4, 4\)"),
        ({"texture": torch.rand(4, 4, 4)}, r"texture: expected a float Tensor .*, got \(4, 4, 4\)"),
        ({"texture": torch.zeros(4, 4, 3, dtype=torch.uint8)}, r"texture: expected a float Tensor .*, got \(4, 4, 3\)"),
        ({"texture": torch.zeros(0, 4, 3)}, r"texture: expected a float Tensor .*, got \(0, 4, 3\)"),
        ({"texture": "wood.png"}, "texture: expected a float Tensor .*, got str"),
        ({"shininess": 0.0}, "shininess: expected a positive number, got 0.0"),
        ({"shininess": float("nan")}, "shininess: expected a positive number, got nan"),
        ({"shininess": float("inf")}, "shininess: expected a positive number, got inf"),
        ({"shininess": True}, "shininess: expected a positive number, got True"),
        ({"shininess": "8"}, "shininess: expected a positive number, got '8'"),
        ({"shininess": torch.rand(2)}, r"shininess: expected a float Tensor \(\), got torch.float32 \(2,\)"),
        ({"shininess": torch.tensor(8)}, r"shininess: expected a float Tensor \(\), got torch.int64 \(\)"),
        ({"normals": "round"}, "normals: expected 'smooth' or 'flat', got 'round'"),
        ({"texture_filter": "cubic"}, "texture_filter: expected 'mipmap' or 'linear' or 'nearest', got 'cubic'"),
        ({"texture_wrap": None}, "texture_wrap: expected 'repeat' or 'clamp', got None"),
    ],
)
def test_bad_materials(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        Material(**options)


# -- meshes with a look ----------------------------------------------------------------------------------------------


def dressed() -> Mesh:
    uv_faces = torch.arange(36, dtype=torch.int32).reshape(12, 3)
    return cube().with_appearance(
        material=Material(texture=torch.rand(2, 2, 3)),
        uv=torch.rand(36, 2, requires_grad=True),
        uv_faces=uv_faces,
        vertex_colours=torch.rand(8, 3),
        face_colours=torch.rand(2, 12, 3),
    )


def test_a_look_goes_along_with_the_shape() -> None:
    mesh = dressed()
    assert mesh.uv_faces.dtype == torch.int64
    for other in (mesh.with_vertices(mesh.vertices * 2), Mesh(mesh.vertices, mesh.faces, **mesh.appearance)):
        for name, value in mesh.appearance.items():
            assert getattr(other, name) is value
    double = mesh.to(torch.float64)
    assert double.uv.dtype == double.vertex_colours.dtype == double.material.texture.dtype == torch.float64
    assert double.uv_faces.dtype == torch.int64
    assert mesh.uv.requires_grad
    assert not mesh.detach().uv.requires_grad
    plain = mesh.with_appearance(material=None, uv=None, uv_faces=None, vertex_colours=None, face_colours=None)
    assert plain.topology is mesh.topology
    assert all(value is None for value in plain.appearance.values())


def test_uv_faces_are_the_faces_where_left_out() -> None:
    ball = icosphere(1)
    assert torch.equal(ball.with_appearance(uv=ball.vertices[:, :2]).uv_faces, ball.faces)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"material": "red"}, "material: expected a Material or None, got str"),
        ({"material": Material(texture=torch.rand(2, 2, 3))}, "uv: expected texture coordinates beside a material .*"),
        ({"uv": torch.rand(7, 2)}, r"uv_faces: expected indices \(F, 3\), as uv has 7 rows for 8 vertices"),
        ({"uv": torch.rand(8, 3)}, r"uv: expected shape \(U, 2\) or \(B, U, 2\), got \(8, 3\)"),
        ({"uv": torch.zeros(8, 2, dtype=torch.int64)}, "uv: expected a floating point Tensor, got torch.int64"),
        ({"uv": torch.full((8, 2), torch.nan)}, "uv: expected finite numbers, some are not"),
        ({"uv_faces": torch.zeros(12, 3, dtype=torch.int64)}, "uv_faces: expected None without uv"),
        (
            {"uv": torch.rand(8, 2), "uv_faces": torch.full((12, 3), 8)},
            "uv_faces: expected indices from 0 to 7, got 8",
        ),
        (
            {"uv": torch.rand(8, 2), "uv_faces": torch.full((12, 3), -1)},
            "uv_faces: expected indices from 0 to 7, got -1",
        ),
        (
            {"uv": torch.rand(8, 2), "uv_faces": torch.zeros(12, 3)},
            r"uv_faces: expected an integer Tensor of shape \(12, 3\), got torch.float32 \(12, 3\)",
        ),
        (
            {"uv": torch.rand(8, 2), "uv_faces": torch.zeros(12, 3, dtype=torch.bool)},
            r"uv_faces: expected an integer Tensor of shape \(12, 3\), got torch.bool \(12, 3\)",
        ),
        (
            {"uv": torch.rand(8, 2), "uv_faces": torch.zeros(11, 3, dtype=torch.int64)},
            r"uv_faces: expected an integer Tensor of shape \(12, 3\), got torch.int64 \(11, 3\)",
        ),
        ({"vertex_colours": torch.rand(7, 3)}, r"vertex_colours: expected shape \(8, 3\) or .*, got \(7, 3\)"),
        ({"vertex_colours": [[1, 1, 1]] * 8}, "vertex_colours: expected a floating point Tensor, got list"),
        ({"face_colours": torch.rand(8, 3)}, r"face_colours: expected shape \(12, 3\) or .*, got \(8, 3\)"),
        ({"face_colours": torch.full((12, 3), torch.inf)}, "face_colours: expected finite numbers, some are not"),
    ],
)
def test_bad_looks(fields: dict, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}$"):
        cube().with_appearance(**fields)
    with pytest.raises(DataError, match=f"^{message}$"):
        Mesh(cube().vertices, cube().faces, **fields)


def test_an_unknown_part_of_the_look() -> None:
    with pytest.raises(
        TypeError, match=r"^colour: expected one of material, uv, uv_faces, vertex_colours, face_colours$"
    ):
        cube().with_appearance(colour=1.0)
