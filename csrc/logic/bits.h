// Bit-parallel logic: one word holds the same signal of many samples. W is any type with &, |, ^ and ~: an integer, or a
// vector of them.
#pragma once
#include <stdint.h>

#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

// After simplification every gate is one of these: inverted outputs are folded into the gates that read them.
enum class BitGate : int32_t { kAnd = 0, kAndNot = 1, kXor = 2, kOr = 3 };

template <BitGate gate, class W>
RNDR_HD void bit_gate(const W& a, const W& b, W& out) {
  if constexpr (gate == BitGate::kAnd) out = a & b;
  if constexpr (gate == BitGate::kAndNot) out = a & ~b;
  if constexpr (gate == BitGate::kXor) out = a ^ b;
  if constexpr (gate == BitGate::kOr) out = a | b;
}

// Carry-save adder: a + b + c = 2 high + low.
template <class W>
RNDR_HD void carry_save(const W& a, const W& b, const W& c, W& high, W& low) {
  const W u = a ^ b;
  const W carry = (a & b) | (u & c);
  low = u ^ c;
  high = carry;
}

// Swaps the bits of x that `mask << shift` selects with those of y that `mask` selects.
template <class W>
RNDR_HD void swap_bits(W& x, W& y, int shift, uint64_t mask) {
  const W t = ((x >> shift) ^ y) & mask;
  y ^= t;
  x ^= t << shift;
}

// Byte j of word i to byte i of word j, of 8 words.
template <class W>
RNDR_HD void transpose_bytes(W m[8]) {
  for (int i = 0; i < 4; ++i) swap_bits(m[i], m[i + 4], 32, 0x00000000ffffffffull);
  for (int i = 0; i < 8; i += 4)
    for (int j = i; j < i + 2; ++j) swap_bits(m[j], m[j + 2], 16, 0x0000ffff0000ffffull);
  for (int i = 0; i < 8; i += 2) swap_bits(m[i], m[i + 1], 8, 0x00ff00ff00ff00ffull);
}

// Bit j of byte i to bit i of byte j, within each 64-bit word.
template <class W>
RNDR_HD void transpose_bits(W& x) {
  W t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aaull;
  x = x ^ t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000cccc0000ccccull;
  x = x ^ t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0ull;
  x = x ^ t ^ (t << 28);
}

RNDR_NAMESPACE_END
