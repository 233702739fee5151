"""The shape benchmark runs, improves the shape, and goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.bench.shape_protocol import Deformation, Setting, best_iou, main, problem, renderer_of


def test_the_sphere_stays_in_the_cube_and_begins_as_a_sphere() -> None:
    model = Deformation()
    assert model().shape == (642, 3)
    torch.testing.assert_close(model().norm(dim=1), torch.full((642,), 0.5))
    with torch.no_grad():
        model.move.fill_(20.0)
        model.middle.fill_(0.3)
    torch.testing.assert_close(model().abs(), torch.ones(642, 3))


def test_steps_improve_the_hard_iou() -> None:
    given = problem("creature", 30.0)
    assert given.targets.shape == (24, 64, 64)
    renderer = renderer_of(Setting("uniform", True, "probabilistic", None), 1e-4)
    first, later = (best_iou(given, renderer, 10**-1.5, steps) for steps in (1, 12))
    assert later > first + 0.03


def test_parts_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.json"
    part = [
        *("--shapes", "creature", "--elevations", "0", "30", "--distributions", "logistic", "--distances", "squared"),
        *("--taus", "1e-3", "1e-4", "--steps", "1", "--step-sizes", "0.03", "--out", str(out)),
    ]
    main([*part, "--t-conorms", "outline"])
    first = json.loads(out.read_text())
    assert len(first["rows"][0]["sweep"]) == 2 * 2
    main([*part, "--t-conorms", "outline", "yager:2", "--resume"])
    both = json.loads(out.read_text())
    assert both["rows"][0] == first["rows"][0]
    assert [row["t_conorm"] for row in both["rows"]] == ["outline", "yager:2"]
    assert "| distribution | outline | yager:2 |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="another sweep"):
        main([*part[:-4], "--step-sizes", "0.1", "--out", str(out), "--t-conorms", "max", "--resume"])
