"""The curve of a run of `renderer train ranking`, or another: python -m tests.bench.ranking OUT [CPU_SECONDS [NOTE]].

Prints the evaluations in OUT/metrics.jsonl as a table and writes tests/bench/results/ranking_n<N>.json, or as the other
experiment is called, with the run's settings from its checkpoint. CPU_SECONDS is what the system says that the
process has used (0: not known), NOTE what else is to be kept.
"""

from __future__ import annotations

import json
import re
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
        "cpu_seconds": float(sys.argv[2]) or None if len(sys.argv) > 2 else None,
        **({"note": sys.argv[3]} if len(sys.argv) > 3 else {}),
        "curve": curve,
    }
    print(table(curve))
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", identity["experiment"]).lower()
    n = identity["settings"].get("n")
    path = RESULTS / f"{name}{'' if n is None else f'_n{n}'}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
