"""All benchmarks: prints tables and writes tests/bench/results/cpu.json. `make bench` on an otherwise idle machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench import coverage, environment, fit, hard

RESULTS = Path(__file__).parent / "results"


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as a Markdown table."""

    def cell(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"

    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join([*lines, *("| " + " | ".join(cell(v) for v in row.values()) + " |" for row in rows)])


def report(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows, and write them and where they were measured to results/NAME.json."""
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    results = {"environment": environment.describe(), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")


def main() -> None:
    results: dict[str, Any] = {"environment": environment.describe()}
    print(json.dumps(results["environment"], indent=2))
    print("\nFace coverage, logistic (scale 0.5 px), probabilistic, float32; a pair is a pixel within a face's support")
    results["face_coverage"] = [coverage.face_row(level, size) for level, size in coverage.CASES]
    print(table(results["face_coverage"]))
    print("\nOutline coverage, uniform (half-width 0.5 px), float32")
    results["outline_coverage"] = [coverage.outline_row(5, 256, views) for views in (1, 12)]
    print(table(results["outline_coverage"]))
    results["peak_memory_mib"] = coverage.peak_memory_mib()
    print(f"\nPeak memory added by forward and backward, 512 x 512, 20,480 faces: {results['peak_memory_mib']:.1f} MiB")
    print("\nHard rendering with shading and antialiasing, float32 (DEODR: float64), ms: also in hard.json")
    hard.main()
    results["fit"] = fit.seconds_to_iou()
    print("Sphere to bumpy ellipsoid, IoU {iou:.4f} after {steps} steps: {seconds:.2f} s".format(**results["fit"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cpu.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {RESULTS / 'cpu.json'}")


if __name__ == "__main__":
    main()
