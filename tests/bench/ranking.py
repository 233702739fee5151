"""The accuracy curve of a run of `renderer train ranking`: python -m tests.bench.ranking OUT [CPU_SECONDS].

Prints the evaluations in OUT/metrics.jsonl as a table and writes tests/bench/results/ranking_n<N>.json, with the run's
settings from its checkpoint. CPU_SECONDS is what the system says that the process has used, if you want it kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from renderer.train.checkpoint import load_checkpoint
from renderer.train.loop import CHECKPOINT
from renderer.train.loop import RESULTS as RESULTS_OF_RUN
from tests.bench.run import RESULTS, table


def main() -> None:
    out = Path(sys.argv[1])
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [{"step": line["step"], **line["evaluate"]} for line in lines if "evaluate" in line]
    saved = load_checkpoint(out / CHECKPOINT)
    identity = saved["identity"]
    result = {
        **{name: identity[name] for name in ("settings", "seed", "precision")},
        "steps_done": lines[-1]["step"],
        "finished": (out / RESULTS_OF_RUN).exists(),
        "wall_seconds_at_checkpoint": round(saved["seconds"], 1),
        "cpu_seconds": float(sys.argv[2]) if len(sys.argv) > 2 else None,
        "curve": curve,
    }
    print(table(curve))
    path = RESULTS / f"ranking_n{identity['settings']['n']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
