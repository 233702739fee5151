"""Bit-packed logic programs, and packing: `renderer::logic_program`, `renderer::pack_bits`; without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer import _C
from renderer.ops import cuda, native

native.LIBRARY.define("pack_bits(Tensor bits) -> Tensor")
# x is packed, (inputs, words), or bool, (samples, inputs); the other tensors are those of a Schedule.
native.LIBRARY.define(
    "logic_program(Tensor x, int samples, int slots, int block_words, Tensor runs, Tensor a, Tensor b, Tensor outputs, "
    "Tensor group_starts, Tensor offsets) -> Tensor"
)


def _pack(bits: Tensor) -> Tensor:
    (bits,) = native.contiguous(bits)
    words = torch.empty(bits.shape[1], (bits.shape[0] + 63) // 64, dtype=torch.int64, device="cpu")
    _C.pack_bits(bits.data_ptr(), *bits.shape, native.SIMD_LEVEL, native.threads(), words.data_ptr())
    return words


def _pack_cuda(bits: Tensor) -> Tensor:
    (bits,) = native.contiguous(bits)
    words = torch.empty(bits.shape[1], (bits.shape[0] + 63) // 64, dtype=torch.int64, device=bits.device)
    cuda.launch("pack_bits", bits.device, bits.data_ptr(), *bits.shape, words.data_ptr())
    return words


def _run(x: Tensor, samples: int, slots: int, block_words: int, runs: Tensor, *tables: Tensor) -> Tensor:
    (x,) = native.contiguous(x)
    groups = len(tables[-1])
    counts = torch.empty(samples, groups, dtype=torch.int32, device="cpu")
    packed = x.dtype == torch.int64
    inputs = x.shape[0] if packed else x.shape[1]
    _C.logic_program_counts(
        *(inputs, slots, len(runs), groups, runs.data_ptr(), *(t.data_ptr() for t in tables)),
        *(0 if packed else x.data_ptr(), x.data_ptr() if packed else 0, samples, block_words),
        *(native.SIMD_LEVEL, native.threads(), counts.data_ptr()),
    )
    return counts


def _run_cuda(x: Tensor, samples: int, slots: int, block_words: int, runs: Tensor, *tables: Tensor) -> Tensor:
    a, b, outputs, group_starts, offsets = tables
    words = (samples + 63) // 64
    memory = torch.empty(slots, words, dtype=torch.int64, device=x.device)
    packed = x if x.dtype == torch.int64 else _pack_cuda(x)
    memory[: packed.shape[0]] = packed
    for gate, out, count, offset in runs.tolist():  # kept on the CPU: launches need its numbers
        operands = (a[offset:].data_ptr(), b[offset:].data_ptr())
        where = (words, memory.data_ptr(), memory[out:].data_ptr())
        cuda.launch("logic_program_run", x.device, gate, count, *operands, *where)
    counts = torch.empty(samples, len(offsets), dtype=torch.int32, device=x.device)
    addresses = (t.data_ptr() for t in (outputs, group_starts, offsets, memory))
    cuda.launch("logic_program_sum", x.device, len(offsets), *addresses, samples, counts.data_ptr())
    return counts


cuda.implement("pack_bits", cpu=_pack, cuda=_pack_cuda)
cuda.implement("logic_program", cpu=_run, cuda=_run_cuda, on_host=(4,))  # runs


def _fake_pack(bits: Tensor) -> Tensor:
    return bits.new_empty(bits.shape[1], (bits.shape[0] + 63) // 64, dtype=torch.int64)


def _fake_run(x: Tensor, samples: int, slots: int, block_words: int, runs: Tensor, *tables: Tensor) -> Tensor:
    return x.new_empty(samples, tables[-1].shape[0], dtype=torch.int32)


torch.library.register_fake("renderer::pack_bits", _fake_pack, lib=native.LIBRARY)
torch.library.register_fake("renderer::logic_program", _fake_run, lib=native.LIBRARY)
