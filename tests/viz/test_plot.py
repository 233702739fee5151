from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from renderer.viz.plot import number, plot


def test_linear_axis_runs_from_corner_to_corner():
    picture = plot("loss", [0, 10], [2.0, 4.0])
    assert picture.paths == [f"M{picture.left:.1f} {picture.bottom:.1f}L{picture.right:.1f} {picture.top:.1f}"]
    assert [text for _, text in picture.y_ticks] == ["2", "2.5", "3", "3.5", "4"]
    assert "log" not in picture.note


def test_log_axis_when_the_values_spread():
    picture = plot("loss", range(5), [1.0, 0.1, 0.01, 0.001, 1e-4])
    assert picture.note == "last 0.0001, range 0.0001 to 1, log scale"
    assert [text for _, text in picture.y_ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    heights = [float(y) for y in re.findall(r" ([\d.]+)", picture.paths[0])]
    steps = [b - a for a, b in pairwise(heights)]
    assert max(steps) - min(steps) < 0.2
    assert "log" not in plot("loss", range(2), [0.0, 100.0]).note


def test_constant_and_single_points():
    assert plot("scale", [0, 1, 2], [0.5, 0.5, 0.5]).paths
    assert len(plot("scale", [3], [7.0]).dots) == 1
    assert plot("zero", [0, 1], [0.0, 0.0]).y_ticks


def test_values_that_are_not_finite_leave_a_gap_and_are_counted():
    picture = plot("loss", range(6), [1.0, 2.0, math.nan, 3.0, math.inf, 4.0])
    assert len(picture.paths) == 1
    assert len(picture.dots) == 2
    assert "2 of 6 not finite" in picture.note
    assert plot("loss", [0], [math.nan]).note == "none of the 1 values is finite"


def test_numbers_read_well():
    assert [number(x) for x in (0.0, 1.0, 0.99712, 47.25, 18512.0, 1e-7, -0.5, 2.5e9)] == [
        "0", "1", "0.9971", "47.25", "18,512", "1e-07", "-0.5", "2.5e+09",
    ]  # fmt: skip
    assert [number(x) for x in (math.nan, math.inf, -math.inf)] == ["not a number", "∞", "−∞"]


def test_errors_name_the_curve():
    with pytest.raises(ValueError, match=r"curves\['loss'\]: expected as many x as y, at least one, got 2 and 1"):
        plot("loss", [0, 1], [1.0])
    with pytest.raises(ValueError, match="at least one, got 0 and 0"):
        plot("loss", [], [])
    with pytest.raises(ValueError, match="expected finite x"):
        plot("loss", [math.nan], [1.0])
