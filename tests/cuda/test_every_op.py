"""Every op by the CUDA kernels: the least that covers them all, which also runs under sanitizers (sanitize.sh)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

from renderer.ops import cuda, native
from renderer.ops.native_function import SPECS, call
from tests.cuda.cases import CASES, WITHOUT_GRADIENT
from tests.cuda.compare import check_against_reference, check_deterministic, run

# Textures in the softmax add to their texels by atomics only.
ORDERED = [name for name, (op, args) in CASES.items() if op != "depth_softmax" or not args[-1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(emulated: None, case: str, dtype: torch.dtype) -> None:
    op, args = CASES[case]
    check_against_reference(op, args, dtype)


@pytest.mark.parametrize("case", ORDERED)
def test_sums_in_a_fixed_order(case: str) -> None:
    with cuda.emulated():
        check_deterministic(*CASES[case])


@pytest.mark.parametrize("function", WITHOUT_GRADIENT.values())
def test_ops_without_a_gradient_equal_those_of_the_cpu(emulated: None, function: Callable[[], list]) -> None:
    ours = function()
    token = cuda._emulator.set(None)
    try:
        expected = function()
    finally:
        cuda._emulator.reset(token)
    for mine, exact in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, exact)


def test_textures_have_no_order() -> None:
    op, args = CASES["depth_softmax, linear"]
    torch.use_deterministic_algorithms(True)
    try:
        with cuda.emulated(), pytest.raises(RuntimeError, match=r"^depth_softmax with textures has no deterministic"):
            run(lambda *a: call(op, *a), op, args)
    finally:
        torch.use_deterministic_algorithms(False)


def test_no_op_is_left_out() -> None:
    differentiable = {op for op, _ in CASES.values()}
    assert differentiable == set(SPECS)
    others = {op for ops in WITHOUT_GRADIENT for op in ops}
    defined = {name.removeprefix("renderer::") for name in native.LIBRARY._op_defs}
    assert defined == differentiable | {f"{op}_backward" for op in differentiable} | others


def test_no_launcher_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = set()
    launch = cuda.launch

    def record(kernel: str, *args: Any) -> None:
        launched.add(kernel)
        launch(kernel, *args)

    monkeypatch.setattr(cuda, "launch", record)
    with cuda.emulated():
        for op, args in CASES.values():
            run(lambda *a, op=op: call(op, *a), op, args)
        for function in WITHOUT_GRADIENT.values():
            function()
    module = import_module("renderer._cuda_emulated")
    launchers = {name for name in dir(module) if not name.startswith("_")}
    assert launchers == launched | {"sort_values_scratch", "sort_payload_scratch"}
