"""Logic gate networks: a training step, and compiled networks; prints tables and writes tests/bench/results/logic.json.

    python -m tests.bench.logic [--prototype FOLDER]

Times are CPU seconds of one thread, so that other work on the machine matters little. FOLDER holds two reference
programs, built, that print the floor: `train` and `e2e`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from renderer.logic import LogicNet, dense_net, pack_bits
from renderer.logic.program import WORDS
from renderer.ops.native_function import call
from tests.bench import environment
from tests.bench.run import table

RESULTS = Path(__file__).parent / "results"
SAMPLES = 5_120  # as in the reference programs: 4 MB of input
MANY_SAMPLES = 65_536  # 51 MB: reading the input from memory counts


def cpu_ms(run: Callable[[], object], repeats: int = 40) -> dict[str, float]:
    """Median and least CPU milliseconds, after warm-up."""
    times = []
    for i in range(repeats + 5):
        start = time.process_time()
        run()
        if i >= 5:
            times.append((time.process_time() - start) * 1e3)
    return {"median_ms": statistics.median(times), "least_ms": min(times)}


def random_net(width: int, depth: int) -> LogicNet:
    """Random wiring and gates: all 16 are equally frequent."""
    return dense_net(784, width, depth, 10, tau=10.0, residual=False, generator=torch.Generator().manual_seed(0))


def training_rows(batch: int = 128) -> list[dict[str, Any]]:
    """Forward and backward of 784 → 4 × 8,000 → 10, and the parts of it."""
    net = random_net(8_000, 4)
    bits = (torch.rand(batch, 784) > 0.5).float()
    labels = torch.randint(10, (batch,))

    def step() -> None:
        net.zero_grad()
        functional.cross_entropy(net(bits), labels).backward()

    logits = torch.cat([layer.weight.detach() for layer in net.gate_layers])
    (c,) = call("logic_coefficients", logits, 1.0)
    indices = torch.cat([layer.indices for layer in net.gate_layers], 1)
    x, widths = bits.T.unsqueeze(0), [8_000] * 4
    ops = torch.ops.renderer
    grad = torch.rand(1, 10, batch)
    parts: dict[str, Callable[[], object]] = {
        "step: forward, cross-entropy, backward": step,
        "layers forward": lambda: ops.logic_layers(x, c, indices, widths, 10),
        "layers backward, forward again included": lambda: ops.logic_layers_backward(grad, x, c, indices, widths, 10),
        "softmax to coefficients": lambda: ops.logic_coefficients(logits, 1.0),
        "its gradient": lambda: ops.logic_coefficients_backward(c, logits, 1.0),
    }
    return [{"part": name, **cpu_ms(run, 100)} for name, run in parts.items()]


def compiled_row(width: int, depth: int, samples: int) -> dict[str, Any]:
    """Compile time, and samples a second from bool input to counts, packing and sums included."""
    net = random_net(width, depth)
    start = time.process_time()
    program = net.compile()
    seconds = time.process_time() - start
    bits = torch.rand(samples, 784) > 0.5
    words = pack_bits(bits)
    from_bool, packed = (cpu_ms(run, 15) for run in (lambda: program(bits), lambda: program(words, samples=samples)))
    return {
        "network": f"{depth} × {width:,}",
        "gates": width * depth,
        "simplified": program.gates,
        "compile_s": seconds,
        "samples": samples,
        "words": program.block_words(samples),
        "bool_million_s": samples / from_bool["least_ms"] / 1e3,
        "bool_median_million_s": samples / from_bool["median_ms"] / 1e3,
        "packed_million_s": samples / packed["least_ms"] / 1e3,
    }


def width_rows() -> list[dict[str, Any]]:
    """Million samples a second by the words of a slot: what CACHE_BYTES of renderer/logic/program.py comes from."""
    rows = []
    for width, depth in ((2_000, 6), (8_000, 4), (64_000, 6)):
        program = random_net(width, depth).compile()
        bits = torch.rand(SAMPLES, 784) > 0.5
        row: dict[str, Any] = {"network": f"{depth} × {width:,}", "slots": program.slots}
        for words in WORDS:
            program.block_words = lambda samples, words=words: words  # type: ignore[method-assign,misc]
            row[f"words_{words}"] = SAMPLES / cpu_ms(lambda p=program, b=bits: p(b), 5)["least_ms"] / 1e3
        rows.append(row)
    return rows


def prototype(folder: Path) -> dict[str, Any]:
    """What the reference programs measure here and now."""
    out = {
        name: subprocess.run([folder / name], capture_output=True, text=True, check=True).stdout
        for name in ("train", "e2e")
    }
    steps = re.findall(r"tile (\d+): fwd ([\d.]+) ms bwd ([\d.]+) ms total ([\d.]+)", out["train"])
    softmax = re.findall(r"adjoint, 32000 gates: ([\d.]+) ms", out["train"])
    runs = re.findall(r"end to end (\S+) W=(\d+): \S+ ns/image +([\d.]+)", out["e2e"])
    return {
        "layers_ms": min(float(total) for *_, total in steps),
        "softmax_ms": min(map(float, softmax)),
        "million_s": {f"{name} {bits} bits": float(speed) for name, bits, speed in runs},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prototype", type=Path, help="folder with the built reference programs train and e2e")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results: dict[str, Any] = {"environment": environment.describe()}
    print(json.dumps(results["environment"], indent=2))
    if options.prototype:
        results["prototype"] = prototype(options.prototype)
        print(json.dumps(results["prototype"], indent=2))
    print("\nTraining 784 → 4 × 8,000 → 10 on one core, batch 128, float32")
    results["training"] = training_rows()
    print(table(results["training"]))
    print("\nCompiled, random gates, one core, from bool input to counts")
    cases = [
        (2_000, 6, SAMPLES),
        (8_000, 4, SAMPLES),
        (2_000, 6, MANY_SAMPLES),
        (8_000, 4, MANY_SAMPLES),
        (64_000, 6, SAMPLES),
    ]
    results["compiled"] = [compiled_row(*case) for case in cases]
    print(table(results["compiled"]))
    print("\nMillion samples a second by the words of a slot")
    results["widths"] = width_rows()
    print(table(results["widths"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "logic.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {RESULTS / 'logic.json'}")


if __name__ == "__main__":
    main()
