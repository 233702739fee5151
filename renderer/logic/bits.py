"""Bits of many samples in 64-bit words: bit s % 64 of word (i, s // 64) is signal i of sample s."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

import renderer.ops.logic_program  # noqa: F401  registers the op
from renderer import _C
from renderer.ops import native


def pack_bits(bits: Bool[Tensor, "samples signals"]) -> Int64[Tensor, "signals words"]:
    """Packed bits; those of the last word beyond the samples are 0.

    >>> pack_bits(torch.tensor([[True, False], [True, True]])).tolist()
    [[3], [2]]
    """
    if bits.dtype != torch.bool or bits.ndim != 2:
        raise TypeError(f"bits: expected bool of shape (samples, signals), got {bits.dtype} of {tuple(bits.shape)}")
    return torch.ops.renderer.pack_bits(bits)


def unpack_bits(words: Int64[Tensor, "signals words"], samples: int) -> Bool[Tensor, "samples signals"]:
    """The reverse of `pack_bits`, on the CPU."""
    check_words(words, samples)
    if words.device.type != "cpu":
        raise ValueError(f"words: expected on the CPU, got {words.device}")
    words = words.contiguous()
    bits = torch.empty(samples, words.shape[0], dtype=torch.bool, device="cpu")
    _C.unpack_bits(words.data_ptr(), samples, words.shape[0], native.threads(), bits.data_ptr())
    return bits


def check_words(words: Tensor, samples: int) -> None:
    """Raises one line unless `words` can hold `samples` samples, no more words than they take."""
    if words.dtype != torch.int64 or words.ndim != 2:
        raise TypeError(f"words: expected int64 of shape (signals, words), got {words.dtype} of {tuple(words.shape)}")
    if samples < 0 or words.shape[1] != (samples + 63) // 64:
        raise ValueError(f"samples: expected {words.shape[1]} words of 64 samples, got {samples} samples")
