"""The report of a reconstruction: one HTML file that needs no network."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.losses.image import psnr
from renderer.losses.silhouette import hard_iou
from renderer.scene.mesh import Mesh
from renderer.viz.difference import BOTH, ONLY_PREDICTED, ONLY_TARGET, overlay
from renderer.viz.image import Encoding, encode_image
from renderer.viz.plot import number, plot
from renderer.viz.templating import render
from renderer.viz.viewer import Vector, mesh_data

View = tuple[str, Float[Tensor, "H W"], Float[Tensor, "H W"]]
Picture = tuple[str, Float[Tensor, "H W 3"], Float[Tensor, "H W 3"]]

# Overlays wider or higher than this are reduced by a whole factor, so that a report of many views stays small.
LARGEST_OVERLAY = 512

# Differences of pictures are shown this many times as large.
MAGNIFIED = 4

# Lists up to this long are written out in tables, longer ones as their range.
LONGEST_LIST = 6


def write_report(
    path: str | Path,
    *,
    title: str,
    mesh: Mesh,
    views: Sequence[View] = (),
    pictures: Sequence[Picture] = (),
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    metrics: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    up: Vector = (0.0, 1.0, 0.0),
) -> None:
    """Write a self-contained page: the mesh in 3-D, silhouettes over their targets, curves, metrics and settings.

    Args:
        views: (name, predicted, target), masks (H, W) in [0, 1]; each is shown with its IoU at threshold ½. Names
            such as "train/r_3" are gathered under the part before the slash.
        pictures: (name, predicted, target), sRGB (H, W, 3) in [0, 1]; each is shown beside its target and their
            difference, with its PSNR.
        curves: name → (x, y), one small plot each.
        metrics: name → value. Numbers at the top level are set large; a mapping of values becomes a table, and a
            mapping of mappings with the same keys a table with one column each (for instance hull and result).
        settings: name → value, nested or not.
        up: the world direction that points upwards in the 3-D view.
    Raises: ValueError for masks whose shapes differ, or curves with x and y of different lengths.

        >>> from renderer.scene import cube
        >>> write_report("report.html", title="A cube", mesh=cube(), metrics={"faces": 12})
    """
    metrics, settings = metrics or {}, settings or {}
    cards = [_card(*view) for view in views]
    colour_cards = [_picture_card(*picture) for picture in pictures]
    page = render(
        "report.html",
        title=title,
        data=mesh_data(mesh, up=up),
        tiles=[(label(key), format_value(value)) for key, value in metrics.items() if _is_number(value)],
        tables=tables({key: value for key, value in metrics.items() if not _is_number(value)}),
        plots=[plot(name, *curve) for name, curve in (curves or {}).items()],
        groups=_groups(cards),
        picture_groups=_groups(colour_cards),
        magnified=MAGNIFIED,
        reduced=any(card.reduced for card in (*cards, *colour_cards)),
        largest=LARGEST_OVERLAY,
        legend=[
            (BOTH, "covered in both"),
            (ONLY_PREDICTED, "only predicted: too much"),
            (ONLY_TARGET, "only in the target: missing"),
        ],
        settings=tables(settings),
    )
    Path(path).write_text(page, encoding="utf-8")


@dataclass(frozen=True)
class Table:
    """A heading, column names (none for plain name–value rows) and rows of text."""

    heading: str
    columns: list[str]
    rows: list[list[str]]


def tables(values: Mapping[str, Any]) -> list[Table]:
    """Plain values as one table, each mapping as one more.

    >>> [table.heading for table in tables({"a": 1, "b": {"c": 2}})]
    ['', 'B']
    """
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    result = [Table("", [], _rows(plain))] if plain else []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            result.append(_table(label(key), value))
    return result


def label(key: str) -> str:
    """A key as a person reads it.

    >>> label("mean_iou"), label("IoU, unseen")
    ('Mean IoU', 'IoU, unseen')
    """
    words = str(key).replace("_", " ").strip()
    words = " ".join("IoU" if word.lower() == "iou" else word for word in words.split(" "))
    return words[:1].upper() + words[1:] if not words.startswith("IoU") else words


def format_value(value: Any) -> str:
    """One value of a table as text; long lists of numbers as their count and range.

    >>> format_value(0.99712), format_value([1.0] * 24), format_value(None)
    ('0.9971', '24 values, 1 to 1', '–')
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().tolist()
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _is_number(value):
        return f"{value:,}" if isinstance(value, int) else number(float(value))
    if isinstance(value, list | tuple):
        if len(value) > LONGEST_LIST and all(_is_number(item) for item in value):
            finite = [float(item) for item in value if math.isfinite(item)]
            span = f", {number(min(finite))} to {number(max(finite))}" if finite else ""
            rest = len(value) - len(finite)
            return f"{len(value)} values{span}" + (f", {rest} not finite" if rest else "")
        return ", ".join(format_value(item) for item in value) or "none"
    return str(value)


@dataclass(frozen=True)
class _Card:
    group: str
    name: str
    score: float
    source: str
    width: int
    reduced: bool


def _card(name: str, predicted: Tensor, target: Tensor) -> _Card:
    if predicted.ndim != 2 or predicted.shape != target.shape:
        raise ValueError(
            f"views[{name!r}]: expected two masks (H, W) of one size, "
            f"got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    picture = overlay(predicted.float(), target.float())
    return _card_of(name, picture, float(hard_iou(predicted, target)), "srgb")


def _picture_card(name: str, predicted: Tensor, target: Tensor) -> _Card:
    if predicted.ndim != 3 or predicted.shape[-1] != 3 or predicted.shape != target.shape:
        raise ValueError(
            f"pictures[{name!r}]: expected two pictures (H, W, 3) of one size, "
            f"got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    # Signed: what is too bright is above the middle grey.
    difference = (0.5 + MAGNIFIED / 2 * (predicted - target)).clamp(0, 1)
    row = torch.cat([target, predicted, difference], 1)
    return _card_of(name, row, float(psnr(predicted[None], target[None])), "linear")


def _card_of(name: str, picture: Tensor, score: float, encoding: Encoding) -> _Card:
    factor = math.ceil(max(picture.shape[:2]) / LARGEST_OVERLAY)
    if factor > 1:
        planes = picture.movedim(-1, 0)
        picture = torch.nn.functional.avg_pool2d(planes, factor, ceil_mode=True).movedim(0, -1)
    group, slash, rest = name.partition("/")
    source = "data:image/png;base64," + base64.b64encode(encode_image(picture, encoding=encoding)).decode("ascii")
    return _Card(group if slash else "", rest if slash else name, score, source, picture.shape[1], factor > 1)


def _groups(cards: list[_Card]) -> list[dict[str, Any]]:
    groups: dict[str, list[_Card]] = {}
    for card in cards:
        groups.setdefault(card.group, []).append(card)
    return [
        {
            "heading": label(name),
            "cards": members,
            "mean": sum(card.score for card in members) / len(members),
            "worst": min(members, key=lambda card: card.score),
        }
        for name, members in groups.items()
    ]


def _table(heading: str, values: Mapping[str, Any]) -> Table:
    entries = list(values.values())
    if len(entries) > 1 and all(isinstance(entry, Mapping) and entry.keys() == entries[0].keys() for entry in entries):
        rows = [[label(key), *(format_value(entry[key]) for entry in entries)] for key in entries[0]]
        return Table(heading, [label(key) for key in values], rows)
    return Table(heading, [], _rows(values))


def _rows(values: Mapping[str, Any], prefix: str = "") -> list[list[str]]:
    rows: list[list[str]] = []
    for key, value in values.items():
        name = f"{prefix}{label(key)}"
        rows += _rows(value, f"{name} › ") if isinstance(value, Mapping) else [[name, format_value(value)]]
    return rows


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 0
    return not isinstance(value, bool | str) and hasattr(value, "__float__") and getattr(value, "ndim", 0) == 0
