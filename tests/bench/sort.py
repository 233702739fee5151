"""Relaxed sorting against the peers: `make bench-sort`, or with `--prototypes DIR` against studies in DIR, too.

Prints the README's tables and writes tests/bench/results/sort.json. CPU milliseconds of one thread, medians, float32.
The peers torchsort and diffsort are measured where they are installed. A study is DIR/sort_values.cpp or
DIR/sort_matrix.cpp, compiled here, whose lines "n=1024 ... cpu median 1.0 ms  min 1.0 ms" are taken.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renderer.losses import ranking_cross_entropy
from renderer.sort import apply_permutation, soft_permutation, soft_rank, soft_sort, soft_topk
from tests.bench import environment
from tests.bench.run import RESULTS, table

BATCH, SIZES = 32, (16, 64, 256, 1024)
# diffsort stores the matrix of every layer: at 1,024 values a row takes seconds, and a batch more memory than there is.
DIFFSORT_ROWS = {16: BATCH, 64: BATCH, 256: 1, 1024: 1}
BETA = 10.0
PROTOTYPES = {
    "values": ("sort_values", r"n=(\d+) B=32 values fwd cauchy", r"n=(\d+) B=32 values fwd\+bwd cauchy"),
    "matrix": (
        "sort_matrix",
        r"n=(\d+) one row full matrix fwd, packed block 32",
        r"n=(\d+) one row full matrix bwd incl. recompute, block 32",
    ),
}


def median_ms(run: Callable[[], object], budget: float = 0.5) -> float:
    """Median CPU time of a call, of as many as fit in `budget` seconds, at least 5."""
    run()
    times: list[float] = []
    while len(times) < 5 or (sum(times) < budget * 1e3 and len(times) < 200):
        start = time.process_time()
        run()
        times.append((time.process_time() - start) * 1e3)
    return statistics.median(times)


def forward_and_both(function: Callable[[Tensor], Tensor], rows: int, n: int) -> tuple[float, float]:
    x = (2 * torch.rand(rows, n, generator=torch.Generator().manual_seed(0)) - 1).requires_grad_()
    weights = torch.rand_like(function(x))

    def both() -> None:
        x.grad = None
        function(x).backward(weights)

    with torch.no_grad():
        forward = median_ms(lambda: function(x))
    return forward, median_ms(both)


def prototypes(folder: Path | None, kind: str) -> dict[int, tuple[float, float]]:
    """n -> forward, forward and backward of a study, in this very run."""
    if folder is None:
        return {}
    name, *patterns = PROTOTYPES[kind]
    with tempfile.TemporaryDirectory() as build:
        binary = Path(build) / name
        source = folder / f"{name}.cpp"
        subprocess.run(["g++", "-O3", "-march=native", "-ffast-math", "-o", binary, source], check=True)
        printed = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    forward, backward = (
        {int(n): float(ms) for n, ms in re.findall(pattern + r".*?cpu median ([\d.]+) ms", printed)}
        for pattern in patterns
    )
    if kind == "matrix":  # which times the backward pass by itself
        backward = {n: ms + forward[n] for n, ms in backward.items()}
    return {n: (forward[n], backward[n]) for n in backward}


def peer(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def value_rows(studies: dict[int, tuple[float, float]]) -> list[dict[str, Any]]:
    """Forward / forward and backward of B = 32 rows, in ms."""
    torchsort = peer("torchsort")
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "torch.sort (hard)": lambda x: x.sort(1).values,
        "soft_sort, bitonic, cauchy": lambda x: soft_sort(x, beta=BETA),
        "soft_sort, bitonic, optimal": lambda x: soft_sort(x, beta=BETA, distribution="optimal"),
        "soft_sort, bitonic, logistic": lambda x: soft_sort(x, beta=BETA, distribution="logistic"),
        "soft_sort, odd_even, cauchy": lambda x: soft_sort(x, beta=BETA, network="odd_even"),
        "soft_rank, bitonic, cauchy": lambda x: soft_rank(x, beta=BETA),
        "soft_topk k=5, cauchy": lambda x: soft_topk(x, 5, beta=BETA).attribution,
        "apply_permutation d=16, bitonic, cauchy": lambda x: apply_permutation(x, x[..., None].expand(*x.shape, 16)),
        "ranking_cross_entropy, bitonic, cauchy": lambda x: ranking_cross_entropy(x, x.detach().flip(1), beta=BETA),
    }
    if torchsort is not None:
        functions["torchsort.soft_sort"] = lambda x: torchsort.soft_sort(x)
        functions["torchsort.soft_rank"] = lambda x: torchsort.soft_rank(x)
    rows = []
    for name, function in functions.items():
        cells = {n: "{:.3g} / {:.3g}".format(*forward_and_both(function, BATCH, n)) for n in SIZES}
        rows.append({"values, B=32": name, **{f"n={n}": cell for n, cell in cells.items()}})
    if studies:
        cells = {n: "{:.3g} / {:.3g}".format(*studies[n]) if n in studies else "" for n in SIZES}
        rows.append({"values, B=32": "study: bitonic, cauchy", **{f"n={n}": cell for n, cell in cells.items()}})
    return rows


def matrix_rows(studies: dict[int, tuple[float, float]]) -> list[dict[str, Any]]:
    """Forward / forward and backward with the whole matrix, in ms per row."""
    diffsort = peer("diffsort")
    rows = []

    def row(name: str, cells: dict[int, str]) -> None:
        rows.append({"matrix, per row": name, **{f"n={n}": cells.get(n, "") for n in SIZES}})

    for batch in (1, BATCH):
        for distribution in ("reciprocal", "cauchy"):
            cells = {}
            for n in SIZES:
                if batch * n * n <= BATCH * 256 * 256:
                    run = lambda x, d=distribution: soft_permutation(x, beta=BETA, distribution=d)  # noqa: E731
                    cells[n] = "{:.3g} / {:.3g}".format(*(ms / batch for ms in forward_and_both(run, batch, n)))
            row(f"soft_permutation, bitonic, {distribution}, B={batch}", cells)
    if studies:
        row("study: bitonic, reciprocal, B=1", {n: "{:.3g} / {:.3g}".format(*times) for n, times in studies.items()})
    if diffsort is not None:
        cells = {}
        for n in SIZES:
            sorter = diffsort.DiffSortNet("bitonic", n, steepness=BETA, distribution="cauchy")
            batch = DIFFSORT_ROWS[n]
            cells[n] = "{:.3g} / {:.3g}".format(
                *(ms / batch for ms in forward_and_both(lambda x, s=sorter: s(x)[1], batch, n))
            )
        row("diffsort, bitonic, cauchy", cells)
    return rows


def memory_rows() -> list[dict[str, Any]]:
    """What forward and backward add to the peak resident set, each in a fresh process (Linux)."""
    rows = []
    for network in ("bitonic", "odd_even"):
        for n in (1024, 4096, 16384):
            if network == "odd_even" and n > 4096:
                continue
            command = [sys.executable, "-m", "tests.bench.sort", "--memory-of", network, str(n)]
            peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows.append(
                {"network": network, "n": n, "input KiB": BATCH * n * 4 // 1024, "peak added MiB": round(peak, 2)}
            )
    return rows


def _print_memory(network: str, n: int) -> None:
    def resident(field: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    torch.set_num_threads(1)
    x = torch.rand(BATCH, n)
    soft_sort(x[:1], network=network)  # builds the network, which is kept
    soft_sort(x[:, :4].clone().requires_grad_(), network=network).sum().backward()
    x.requires_grad_()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    soft_sort(x, network=network).sum().backward()
    print(resident("VmHWM") - before)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--prototypes", type=Path, help="folder with sort_values.cpp and sort_matrix.cpp")
    arguments.add_argument("--memory-of", nargs=2, metavar=("NETWORK", "N"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory_of:
        _print_memory(given.memory_of[0], int(given.memory_of[1]))
        return
    if given.prototypes and not shutil.which("g++"):
        raise SystemExit("--prototypes: needs g++")
    torch.set_num_threads(1)
    results: dict[str, Any] = {"environment": environment.describe()}
    print(json.dumps(results["environment"], indent=2))
    for kind, make in (("values", value_rows), ("matrix", matrix_rows)):
        print(f"\nforward / forward and backward, CPU ms, one thread, β = {BETA:g}")
        results[kind] = make(prototypes(given.prototypes, kind))
        print(table(results[kind]))
    print("\nmemory of soft_sort, forward and backward, B = 32")
    results["memory"] = memory_rows()
    print(table(results["memory"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sort.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
