"""The emulation of CUDA itself: shared memory, barriers, votes and atomics, and the mistakes it has to notice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SANITIZE = "-fsanitize=address,undefined"


def run(executable: Path, *args: str, order: str = "") -> subprocess.CompletedProcess:
    # Set out of place: these variables would reach into a sanitized test run of the whole library, too.
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"} | {"RENDERER_EMULATION_ORDER": order}
    return subprocess.run([executable, *args], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("emulation") / "emulation"
    flags = ["-std=c++17", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", SANITIZE, "-fno-sanitize-recover=undefined"]
    source = HERE / "emulation.cu"
    subprocess.run(["g++", *flags, f"-I{HERE.parents[1] / 'csrc'}", "-x", "c++", source, "-o", out], check=True)
    return out


@pytest.mark.parametrize("order", ["", "reverse"])
def test_kernels_run_as_on_a_device(executable: Path, order: str) -> None:
    result = run(executable, order=order)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "threads ended before the barrier at" in result.stdout
    assert "threads of a block wait at different barriers" in result.stdout
    assert result.stdout.endswith("passed\n")


def test_an_overrun_of_shared_memory_is_found(executable: Path) -> None:
    result = run(executable, "overrun")
    assert result.returncode != 0
    assert "heap-buffer-overflow" in result.stderr
