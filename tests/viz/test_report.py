from __future__ import annotations

import base64
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from renderer.scene import Mesh, cube, icosphere
from renderer.scene.pose import upright_axes
from renderer.viz import write_report, write_viewer
from renderer.viz.report import format_value, label, tables
from renderer.viz.viewer import mesh_data

VOID = {"meta", "img", "line", "path", "circle", "input", "br"}


class Page(HTMLParser):
    """Collects tags and text, and checks that every element is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def mesh(self) -> dict:
        return json.loads(re.search(r'class="mesh-data">(.*?)</script>', self.source, re.S)[1])


@pytest.fixture
def report(tmp_path) -> Page:
    target = torch.zeros(32, 48)
    target[8:24, 8:40] = 1
    smaller = target.clone()
    smaller[:, 36:] = 0
    write_report(
        tmp_path / "report.html",
        title="Shape <b> & co",
        mesh=icosphere(1),
        views=[("train/r_0", target, target), ("train/r_1", smaller, target), ("test/r_0", smaller, target)],
        curves={"loss": ([0, 1, 2], [1.0, 0.1, 0.001])},
        metrics={"mean_iou": 0.99712, "watertight": True, "scores": {"hull": {"iou": 0.9}, "result": {"iou": 0.95}}},
        settings={"scale": [4.0, 2.0], "steps": {"first": {"count": 3}}},
    )
    return Page(tmp_path / "report.html")


def test_nothing_is_loaded_from_elsewhere(report):
    policy = next(a["content"] for a in report.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    for attributes in (attributes for _, attributes in report.tags):
        assert not {"href", "srcset"} & attributes.keys()
        assert attributes.get("src", "data:").startswith("data:")
    for call in ("http://", "https://", "fetch(", "import(", "XMLHttpRequest", "@import", "url("):
        assert call not in report.source


def test_title_metrics_and_settings_are_shown_and_escaped(report):
    assert "Shape <b> & co" in report.text
    assert "Shape <b>" not in report.source
    for words in ("Mean IoU", "0.9971", "Watertight", "yes", "Hull", "Result", "0.95", "4, 2", "First › Count"):
        assert words in report.text


def test_views_carry_iou_legend_and_overlay(report):
    assert "covered in both" in report.text
    text = " ".join(report.text.split())
    assert "Train 2 views, mean IoU 0.9375, lowest 0.8750 (r_1)" in text
    assert "Test 1 view, mean IoU 0.8750" in text
    images = [a["src"] for a in report.all("img") if a.get("src")]
    assert len(images) == 3
    pixels = iio.imread(base64.b64decode(images[1].partition(",")[2]), extension=".png")
    assert pixels.shape == (32, 48, 3)
    assert pixels[16, 38].tolist() == [0x1C, 0x5F, 0xD4]
    assert pixels[16, 16].tolist() == [0xC8, 0xCC, 0xD2]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_curves_are_inline_svg(report):
    assert len(report.all("svg")) == 1
    assert any(a.get("class") == "curve" for a in report.all("path"))
    assert "last 0.001" in report.text


def test_only_a_title_and_a_mesh_are_needed(tmp_path):
    write_report(tmp_path / "report.html", title="Cube", mesh=cube())
    page = Page(tmp_path / "report.html")
    assert len(page.all("canvas")) == 1
    assert not page.all("img")
    assert not page.all("table")


def test_large_views_are_reduced_and_say_so(tmp_path):
    mask = torch.zeros(600, 1100)
    write_report(tmp_path / "report.html", title="Large", mesh=cube(), views=[("a", mask, mask)])
    page = Page(tmp_path / "report.html")
    image = iio.imread(base64.b64decode(page.all("img")[0]["src"].partition(",")[2]), extension=".png")
    assert image.shape == (200, 367, 3)
    assert "shown smaller; IoU counts every pixel" in page.text


def test_mesh_data_of_the_viewer(tmp_path):
    mesh = icosphere(1)
    moved = Mesh(mesh.vertices.double() * 1e-3 + 1000, mesh.faces)
    write_viewer(tmp_path / "mesh.html", moved, title="Small & far", up=(0, 0, 1))
    data = Page(tmp_path / "mesh.html").mesh()
    positions = np.frombuffer(base64.b64decode(data["positions"]), "<f4").reshape(-1, 3)
    normals = np.frombuffer(base64.b64decode(data["normals"]), np.int8).reshape(-1, 4)[:, :3] / 127
    faces = np.frombuffer(base64.b64decode(data["faces"]), "<u4").reshape(-1, 3)
    assert len(positions) == len(normals)
    assert faces.max() < len(positions)
    assert np.allclose(positions[faces], 1e-3 * mesh.vertices[mesh.faces].numpy(), atol=1e-9)
    assert data["radius"] == pytest.approx(1e-3)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=0.02)
    assert data["axes"] == [[1, 0, 0], [0, 0, 1], [0, -1, 0]]


def test_stray_vertices_do_not_shrink_the_view():
    mesh = cube()
    stray = Mesh(torch.cat([mesh.vertices, torch.tensor([[100.0, 0, 0]])]), mesh.faces)
    assert mesh_data(stray)["radius"] == pytest.approx(mesh_data(mesh)["radius"])


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 1), (0, 0, -1), (1, 0, 0), (0.3, -2.0, 0.5)])
def test_upright_axes_are_a_right_handed_frame(up):
    axes = upright_axes(up)
    assert np.allclose(axes @ axes.T, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert np.allclose(axes[1], np.array(up) / np.linalg.norm(up))


def test_errors(tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(ValueError, match=r"views\['a'\]: expected two masks"):
        write_report(path, title="x", mesh=cube(), views=[("a", torch.zeros(4, 4), torch.zeros(4, 5))])
    with pytest.raises(ValueError, match=r"curves\['loss'\]: expected as many x as y"):
        write_report(path, title="x", mesh=cube(), curves={"loss": ([1], [])})
    for up in ((0, 0, 0), (1, 2), (math.nan, 0, 1)):
        with pytest.raises(ValueError, match="up: expected a direction"):
            write_report(path, title="x", mesh=cube(), up=up)
    assert not path.exists()


def test_values_and_labels_as_text():
    values = [
        None,
        True,
        18512,
        0.99712,
        torch.tensor(0.5),
        [1, 2],
        [0.5, math.nan] * 4,
        {},
        Path("a/b"),
        [],
        np.float32(2),
    ]
    assert [format_value(value) for value in values] == [
        "–", "yes", "18,512", "0.9971", "0.5", "1, 2", "8 values, 0.5 to 0.5, 4 not finite", "{}", "a/b", "none", "2",
    ]  # fmt: skip
    assert [label(key) for key in ("f_score", "iou", "Ready")] == ["F score", "IoU", "Ready"]


def test_tables_by_nesting():
    plain, nested, columns = tables({"a": 1, "b": {"c": {"d": 2}}, "e": {"x": {"n": 1}, "y": {"n": 2}}})
    assert (plain.heading, plain.rows) == ("", [["A", "1"]])
    assert (nested.heading, nested.rows) == ("B", [["C › D", "2"]])
    assert (columns.columns, columns.rows) == (["X", "Y"], [["N", "1", "2"]])
