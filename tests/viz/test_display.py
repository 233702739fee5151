from __future__ import annotations

import html
import inspect
import json
import re
import subprocess
import sys

import imageio.v3 as iio
import pytest
import torch

from renderer import Camera, Scene, viz
from renderer.scene import Mesh, cube, icosphere
from renderer.viz import MeshView, Picture, show
from renderer.viz.display import joined


def page(view: str) -> str:
    return html.unescape(
        re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style="[^"]*"></iframe>', view)[1]
    )


def test_every_public_name_is_callable():
    assert {name for name in ("grid", "compare", "turntable", "show") if not callable(getattr(viz, name))} == set()
    assert not any(inspect.ismodule(getattr(viz, name)) for name in viz.__all__)


def test_what_each_thing_becomes():
    assert isinstance(show(torch.zeros(8, 8)), Picture)
    assert show([torch.zeros(8, 8), torch.zeros(8, 8, 3)], captions=["a", "b"], columns=1).pixels.shape[0] > 40
    assert repr(show(cube())) == "View of 12 faces"
    scene = Scene([cube(), icosphere(0)], up=(0.0, 0.0, 1.0))
    assert repr(show(scene)) == "View of 32 faces"
    assert show(scene).up == (0.0, 0.0, 1.0)


def test_the_frame_holds_the_page_and_loads_nothing():
    source = page(show(cube())._repr_html_())
    data = json.loads(re.search(r'class="mesh-data">(.*?)</script>', source, re.S)[1])
    assert data["radius"] == pytest.approx(3**0.5)
    assert "default-src 'none'" in source
    assert not re.search(r"https?://|fetch\(|import\(|@import|url\(", source)


def test_a_mesh_and_a_scene_display_themselves():
    assert page(cube()._repr_html_()).startswith("<!DOCTYPE html>")
    assert Mesh(cube().vertices.expand(2, 8, 3), cube().faces)._repr_html_() is None
    cameras = Camera.stack([Camera.orbit(6.0, 20.0, azimuth, image_size=(24, 32)) for azimuth in (0.0, 90.0)])
    pixels = iio.imread(Scene([cube()], cameras={"all": cameras}, background=1.0)._repr_png_())
    assert pixels.shape == (24, 32, 3)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[12, 16].max() < 250
    assert iio.imread(Scene([cube()])._repr_png_()).shape == (512, 512, 3)


def test_scene_does_not_import_viz_until_something_is_shown():
    code = "import renderer, sys; sys.exit(any(name.startswith('renderer.viz') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_joined_meshes_keep_their_faces():
    both = joined([cube(), icosphere(0)])
    assert both.num_components == 2
    assert torch.equal(both.face_vertices, torch.cat([cube().face_vertices, icosphere(0).face_vertices]))


def test_errors():
    with pytest.raises(ValueError, match="thing: expected a Tensor, a list of Tensors, a Mesh or a Scene, got str"):
        show("picture.png")
    with pytest.raises(ValueError, match="zoom: expected 1 beside a Mesh, got 2"):
        show(cube(), zoom=2)
    with pytest.raises(ValueError, match=r"captions: expected None beside a Scene, got \['a'\]"):
        show(Scene([cube()]), captions=["a"])
    with pytest.raises(ValueError, match=r"mesh: expected one mesh with vertices \(V, 3\), got \(2, 8, 3\)"):
        show(Mesh(cube().vertices.expand(2, 8, 3), cube().faces))
    with pytest.raises(ValueError, match="height: expected a positive number of pixels, got 0"):
        MeshView(cube(), height=0)
    with pytest.raises(ValueError, match="up: expected a direction"):
        MeshView(cube(), up=(0.0, 0.0, 0.0))
