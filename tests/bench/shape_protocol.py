"""The published shape protocol (Petersen et al., GenDR, CVPR 2022): `make bench-shape`, or a part of it by arguments.

A sphere of 642 vertices becomes a shape known from 24 hard silhouettes of 64×64 pixels at one elevation: 100 steps of
Adam (β .5, .95) on soft IoU + 0.03 laplacian + 0.0003 flatten. The score is the best hard IoU of the 100 steps. Each
setting (distribution, plain or squared distance, T-conorm) is swept over the scale τ and the step size; the table has
the best of these, the mean over shapes and elevations. Writes tests/bench/results/shape_protocol.json after each
setting, with all of the sweep.

The published sweep is τ = 1e-1 ... 1e-7, then 21 values around the best one; step sizes 10^-1.25, 10^-1.5, 10^-1.75;
elevations -60, -30, 0, 30, 60. "outline" in place of a T-conorm is this project's coverage of the union.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from renderer import Camera, Mesh, SoftRenderer, losses
from renderer.interop import from_gendr
from renderer.losses.edges import interior_edges
from renderer.raster import project_mesh, rasterize
from renderer.relax import t_conorm
from renderer.scene import icosphere
from renderer.tasks.pose_parameters import turn
from tests.bench import environment
from tests.bench.run import RESULTS, table

SCENES = Path(__file__).parents[2] / "scenes"
VIEWS, SIZE, DISTANCE, FOV = 24, 64, 2.732, 30.0
BETAS = (0.5, 0.95)  # of Adam
LAPLACIAN, FLATTEN = 0.03, 0.0003
LEVEL, RADIUS = 3, 0.5  # of the sphere: 642 vertices
DISTRIBUTIONS = ("uniform", "cubic_hermite", "gaussian", "logistic", "cauchy", "laplace")
T_CONORMS = ("max", "probabilistic", "einstein", "yager:2", "outline")


class Problem(NamedTuple):
    """Silhouettes (24, 64, 64) of one shape at one elevation."""

    shape: str
    elevation: float
    camera: Camera
    targets: Tensor


class Setting(NamedTuple):
    """What a row of the results is about."""

    distribution: str
    squared: bool
    t_conorm: str
    support_eps: float | None


class Deformation(nn.Module):
    """A sphere whose vertices stay within the cube [-1, 1]³, with a middle that moves: SoftRas, arXiv 1904.01786, §3.4.

    With |v₀| the sphere's coordinate: w = sign(v₀) σ(logit |v₀| + d), then w goes the share |w| from the middle c to
    the cube's face on its side.
    """

    def __init__(self) -> None:
        super().__init__()
        sphere = icosphere(LEVEL, radius=RADIUS)
        # Turned, so that no coordinate is 0, which would stay 0.
        start = sphere.vertices @ turn(torch.tensor([[0.3, 0.5, 0.7]]))[0].mT
        self.faces = sphere.faces
        self.register_buffer("side", start.sign())
        self.register_buffer("start", torch.logit(start.abs()))
        self.move = nn.Parameter(torch.zeros_like(start))
        self.middle = nn.Parameter(torch.zeros(3))
        self.edges = Mesh(start, sphere.faces).edges
        self.pairs = interior_edges(sphere.faces)

    def forward(self) -> Float[Tensor, "642 3"]:
        share, middle = torch.sigmoid(self.start + self.move), torch.tanh(self.middle)
        return torch.where(self.side > 0, share * (1 - middle), -share * (1 + middle)) + middle


def problem(shape: str, elevation: float) -> Problem:
    mesh = Mesh.load(SCENES / shape / "mesh.ply", appearance=False)
    low, high = mesh.bounds
    mesh = mesh.with_vertices((mesh.vertices - (low + high) / 2) / (high - low).max())
    azimuth = -360.0 / VIEWS * torch.arange(VIEWS)
    camera = Camera.orbit(DISTANCE, torch.full((VIEWS,), elevation), azimuth, image_size=(SIZE, SIZE), fov_y=FOV)
    return Problem(shape, elevation, camera, covered(mesh, camera).float())


def covered(mesh: Mesh, camera: Camera) -> Tensor:
    """The pixel centres that the mesh covers, all views at once."""
    screen, faces = project_mesh(mesh, camera)
    return rasterize(screen, faces, camera.image_size).face_id >= 0


def renderer_of(setting: Setting, tau: float) -> SoftRenderer:
    relaxed = from_gendr(setting.distribution, tau, SIZE, squared=setting.squared, support_eps=setting.support_eps)
    if setting.t_conorm == "outline":
        return SoftRenderer(relaxed, coverage="outline")
    kind, _, parameter = setting.t_conorm.partition(":")
    return SoftRenderer(relaxed, t_conorm(kind, float(parameter)) if parameter else t_conorm(kind))


def best_iou(given: Problem, renderer: SoftRenderer, step_size: float, steps: int) -> float:
    """The best hard IoU on the way."""
    model = Deformation()
    optimizer = torch.optim.Adam(model.parameters(), lr=step_size, betas=BETAS)
    best = 0.0
    for _ in range(steps):
        vertices = model()
        mesh = Mesh(vertices, model.faces)
        with torch.no_grad():
            best = max(best, float(losses.hard_iou(covered(mesh, given.camera), given.targets > 0.5)))
        loss = losses.soft_iou(renderer.silhouette(mesh, given.camera), given.targets)
        loss = loss + LAPLACIAN * losses.laplacian(vertices, model.faces, edges=model.edges)
        loss = loss + FLATTEN * losses.flatten(vertices, model.faces, pairs=model.pairs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return best


def setting_row(
    problems: Sequence[Problem], setting: Setting, taus: Sequence[float], sizes: Sequence[float], steps: int
) -> dict[str, Any]:
    """One setting: the mean over the problems of the best that the sweep finds for each, and the whole sweep."""
    began = time.process_time()
    best, sweep = [], []
    for given in problems:
        runs = []
        for tau, size in itertools.product(taus, sizes):
            iou = best_iou(given, renderer_of(setting, tau), size, steps)
            runs.append({"shape": given.shape, "elevation": given.elevation, "tau": tau, "lr": size, "iou": iou})
        best.append(max(runs, key=lambda run: run["iou"]))
        sweep += runs
    score = sum(run["iou"] for run in best) / len(best)
    seconds = round(time.process_time() - began, 1)
    return {**setting._asdict(), "iou": score, "best": best, "sweep": sweep, "cpu_seconds": seconds}


def by_conorm(rows: Sequence[dict[str, Any]]) -> str:
    """The table: a distribution a line, a T-conorm a column; hard IoU in %, log10 τ of the best runs in brackets."""
    conorms = list(dict.fromkeys(row["t_conorm"] for row in rows))
    cells = {(row["distribution"], row["squared"], row["t_conorm"]): row for row in rows}
    lines = []
    for name, squared in dict.fromkeys((row["distribution"], row["squared"]) for row in rows):
        line: dict[str, Any] = {"distribution": f"{name}, squared distance" if squared else name}
        for conorm in conorms:
            row = cells.get((name, squared, conorm))
            taus = sorted({math.log10(run["tau"]) for run in row["best"]}) if row else []
            line[conorm] = f"{100 * row['iou']:.1f} ({', '.join(f'{t:.3g}' for t in taus)})" if row else "–"
        lines.append(line)
    return table(lines)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shapes", nargs="+", default=["creature", "teapot", "plant"])
    parser.add_argument("--elevations", nargs="+", type=float, default=[-60.0, -30.0, 0.0, 30.0, 60.0])
    parser.add_argument("--distributions", nargs="+", default=list(DISTRIBUTIONS))
    parser.add_argument("--distances", nargs="+", choices=("plain", "squared"), default=["squared", "plain"])
    parser.add_argument("--t-conorms", nargs="+", default=list(T_CONORMS), help="NAME, NAME:PARAMETER or outline")
    parser.add_argument("--taus", nargs="+", type=float, default=[10.0**-k for k in range(1, 8)])
    parser.add_argument("--step-sizes", nargs="+", type=float, default=[10**-1.25, 10**-1.5, 10**-1.75])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--support-eps", type=float, help="a face is cut where it covers less than that")
    parser.add_argument("--out", type=Path, default=RESULTS / "shape_protocol.json")
    parser.add_argument("--resume", action="store_true", help="keep the rows of OUT that have the same sweep")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    asked = arguments(given)
    torch.set_num_threads(1)
    swept = {name: getattr(asked, name) for name in ("shapes", "elevations", "taus", "step_sizes", "steps")}
    done: dict[Setting, dict[str, Any]] = {}
    if asked.resume and asked.out.exists():
        saved = json.loads(asked.out.read_text())
        if saved["swept"] != swept:
            raise SystemExit(f"{asked.out}: has the results of another sweep: {saved['swept']}")
        done = {Setting(*(row[name] for name in Setting._fields)): row for row in saved["rows"]}
    problems = [problem(shape, elevation) for shape in asked.shapes for elevation in asked.elevations]
    for name, kind, conorm in itertools.product(asked.distributions, asked.distances, asked.t_conorms):
        setting = Setting(name, kind == "squared", conorm, asked.support_eps)
        if setting not in done:
            row = done[setting] = setting_row(problems, setting, asked.taus, asked.step_sizes, asked.steps)
            results = {"environment": environment.describe(), "swept": swept, "rows": list(done.values())}
            asked.out.parent.mkdir(exist_ok=True)
            asked.out.write_text(json.dumps(results, indent=1) + "\n")
            print(name, kind, conorm, f"{row['iou']:.4f}", f"{row['cpu_seconds']} s", file=sys.stderr, flush=True)
    print(by_conorm(list(done.values())))


if __name__ == "__main__":
    main()
