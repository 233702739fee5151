"""Comparator networks by the CUDA kernels."""

from __future__ import annotations

import pytest
import torch

from renderer.ops import cuda, sort_call
from renderer.ops.native_function import call
from renderer.sort import RELAXATIONS, soft_permutation, soft_rank, soft_sort, soft_topk
from tests.cuda.compare import check_against_reference
from tests.sort.test_native import ALL_NETWORKS, OPS, arguments, settings


@pytest.mark.parametrize("network", ALL_NETWORKS)
@pytest.mark.parametrize("op", OPS)
def test_equals_the_reference(emulated: None, op: str, network: str) -> None:
    for batch, n, columns in ((2, 5, 1), (3, 33, 11)):
        args = [*arguments(op, batch, n, columns), *settings(network)]
        check_against_reference(op, args, torch.float64)
    check_against_reference(op, [*arguments(op, 2, 9, 3), *settings(network, "logistic", 1.0)], torch.float32)


@pytest.mark.parametrize("straight_through", [False, True])
@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_every_relaxation(emulated: None, relaxation: str, straight_through: bool) -> None:
    for op in ("sort_values", "sort_payload"):
        args = [*arguments(op, 2, 6, 2), *settings("bitonic", relaxation, 3.0, straight_through)]
        check_against_reference(op, args, torch.float64)


@pytest.mark.parametrize("op", ["sort_values", "sort_payload"])
def test_rows_beyond_shared_memory(emulated: None, op: str) -> None:
    """Of 48 KiB: from then on rows lie in the memory of the device."""
    n = {"sort_values": 6200, "sort_payload": 1600}[op]
    args = arguments(op, 1, n, 5)
    expected = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in args]
    ours = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in args]
    out = call(op, *ours, *settings("bitonic"))[0]
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    out.backward(weights)
    token = cuda._emulator.set(None)  # the CPU kernels, which are tested against the reference
    try:
        exact = call(op, *expected, *settings("bitonic"))[0]
        exact.backward(weights)
    finally:
        cuda._emulator.reset(token)
    torch.testing.assert_close(out, exact, rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-9)


def test_more_rows_than_have_scratch_at_a_time(emulated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sort_call, "CUDA_ROWS", 3)
    monkeypatch.setattr(sort_call, "CUDA_SCRATCH", 0)
    for op in OPS:
        check_against_reference(op, [*arguments(op, 8, 4, 2), *settings("odd_even")], torch.float64)


def test_public_functions(emulated: None) -> None:
    x = torch.randn(3, 7, dtype=torch.float64)
    p = soft_permutation(x)
    torch.testing.assert_close(soft_sort(x), torch.einsum("bi,bij->bj", x, p))
    torch.testing.assert_close(soft_rank(x), p @ torch.arange(1, 8, dtype=torch.float64))
    top = soft_topk(x, 2, network="bitonic")
    torch.testing.assert_close(top.attribution, p[:, :, -2:].flip(2))
    assert soft_sort(x[:0]).shape == (0, 7)


def test_unknown_relaxation(emulated: None) -> None:
    with pytest.raises(ValueError, match="relaxation: unknown name 'normal'"):
        torch.ops.renderer.sort_values(torch.zeros(1, 3), "bitonic", 0, "normal", 1.0, 0.0, 0.0, False)
