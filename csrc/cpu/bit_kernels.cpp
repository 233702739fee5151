// Compiled once per SIMD level, as cpu/kernels.cpp: packing, gates and sums of bit-packed logic programs.
#include <algorithm>
#include <cstring>

#include "cpu/kernels.h"
#include "logic/bits.h"

RNDR_NAMESPACE_BEGIN
namespace {

// A vector of 64-bit words; slots need not be aligned to it.
template <int words>
struct Vector {
  typedef uint64_t type __attribute__((vector_size(8 * words), aligned(8), may_alias));
};
template <>
struct Vector<1> {
  typedef uint64_t type;
};

// Bytes of eight samples, side by side in memory, that are packed together: as many as the widest level has in a vector.
constexpr int kStrip = 64;
typedef uint8_t Bytes __attribute__((vector_size(kStrip), aligned(1), may_alias));
// Samples are fetched this many ahead: eight streams at once are more than the processor's own prefetching follows, and
// packing what lies in memory takes a sixth less with it.
constexpr int kFetchAhead = 32;
// Inputs whose packed bytes are kept between the two steps: 64 * 8 samples of them fit the second-level cache.
constexpr int kPackInputs = 1024;

// Bit r of byte i of `out` is input i of sample r; samples from `rows` on are 0. Reads eight streams of memory in order.
void pack_eight(const uint8_t* x, size_t row_stride, int rows, int inputs, uint8_t* out) {
  int first = 0;
  if (rows >= 8) {
    for (; first + kStrip <= inputs; first += kStrip) {
      Bytes bits = {};
      // As numbers, for this may lie beyond the last sample, which a prefetch (unlike a pointer) may.
      const uintptr_t ahead = reinterpret_cast<uintptr_t>(x) + kFetchAhead * row_stride + first;
      for (int r = 0; r < 8; ++r) __builtin_prefetch(reinterpret_cast<const void*>(ahead + r * row_stride));
      for (int r = 7; r >= 0; --r) bits = bits + bits + *reinterpret_cast<const Bytes*>(x + r * row_stride + first);
      std::memcpy(out + first, &bits, kStrip);
    }
  }
  std::memset(out + first, 0, inputs - first);
  for (int r = 0; r < std::min(rows, 8); ++r)
    for (int i = first; i < inputs; ++i) out[i] |= x[r * row_stride + i] << r;
}

// Bytes of eight samples each, (8 words, kPackInputs), to words of 64 samples.
template <int words>
void bytes_to_words(const uint8_t* bytes, int inputs, uint64_t* slots) {
  using W = typename Vector<words>::type;
  for (int first = 0; first < inputs; first += 8) {
    W m[8];
    for (int byte = 0; byte < 8; ++byte) {
      uint64_t lanes[words];
      for (int word = 0; word < words; ++word) std::memcpy(&lanes[word], bytes + (word * 8 + byte) * kPackInputs + first, 8);
      std::memcpy(&m[byte], lanes, sizeof(W));
    }
    transpose_bytes(m);
    std::memcpy(slots + static_cast<size_t>(first) * words, m, sizeof(W) * std::min(8, inputs - first));
  }
}

template <int words>
void pack_block(const uint8_t* x, size_t row_stride, int rows, int inputs, uint64_t* slots) {
  alignas(64) uint8_t bytes[8 * words * kPackInputs];
  for (int first = 0; first < inputs; first += kPackInputs) {
    const int count = std::min(kPackInputs, inputs - first);
    for (int eight = 0; eight < 8 * words; ++eight)
      pack_eight(x + static_cast<size_t>(eight) * 8 * row_stride + first, row_stride, std::max(0, rows - eight * 8), count,
                 bytes + eight * kPackInputs);
    bytes_to_words<words>(bytes, count, slots + static_cast<size_t>(first) * words);
  }
}

template <int words, BitGate gate>
void run_gates(int n, const int32_t* a, const int32_t* b, const uint64_t* slots, uint64_t* out) {
  using W = typename Vector<words>::type;
  for (int i = 0; i < n; ++i) {
    const W& left = *reinterpret_cast<const W*>(slots + static_cast<size_t>(a[i]) * words);
    const W& right = *reinterpret_cast<const W*>(slots + static_cast<size_t>(b[i]) * words);
    bit_gate<gate>(left, right, *reinterpret_cast<W*>(out + static_cast<size_t>(i) * words));
  }
}

template <int words>
void run_block(const BitRun* runs, int count, const int32_t* a, const int32_t* b, uint64_t* slots) {
  for (const BitRun* r = runs; r < runs + count; ++r) {
    uint64_t* out = slots + static_cast<size_t>(r->out) * words;
    const int32_t *left = a + r->offset, *right = b + r->offset;
    switch (static_cast<BitGate>(r->gate)) {
      case BitGate::kAnd: run_gates<words, BitGate::kAnd>(r->count, left, right, slots, out); break;
      case BitGate::kAndNot: run_gates<words, BitGate::kAndNot>(r->count, left, right, slots, out); break;
      case BitGate::kXor: run_gates<words, BitGate::kXor>(r->count, left, right, slots, out); break;
      case BitGate::kOr: run_gates<words, BitGate::kOr>(r->count, left, right, slots, out); break;
    }
  }
}

constexpr int kPlanes = 32;  // bits of a count

// Counts set bits lane by lane: plane d holds bit d of every lane's count. Eight words at a time go through a tree of
// carry-save adders (Harley and Seal), whose carries of weight 8 alone are added to the planes.
template <int words>
struct Counter {
  using W = typename Vector<words>::type;
  W planes[kPlanes] = {};
  W ones = {}, twos = {}, fours = {};
  int used = 0;  // planes above are 0

  void add(const W& word, int plane) {
    W bit = word;
    for (; plane < used; ++plane) {
      const W carry = planes[plane] & bit;
      planes[plane] ^= bit;
      bit = carry;
    }
  }

  void add_eight(const W w[8]) {
    W t0, t1, f0, f1, eight;
    carry_save(ones, w[0], w[1], t0, ones);
    carry_save(ones, w[2], w[3], t1, ones);
    carry_save(twos, t0, t1, f0, twos);
    carry_save(ones, w[4], w[5], t0, ones);
    carry_save(ones, w[6], w[7], t1, ones);
    carry_save(twos, t0, t1, f1, twos);
    carry_save(fours, f0, f1, eight, fours);
    add(eight, 3);
  }

  template <bool inverted>
  void add_slots(const int32_t* slots, int count, const uint64_t* values) {
    const auto load = [&](int i, W& out) {
      const W& w = *reinterpret_cast<const W*>(values + static_cast<size_t>(slots[i]) * words);
      out = inverted ? ~w : w;
    };
    int i = 0;
    W w[8];
    for (; i + 8 <= count; i += 8) {
      for (int j = 0; j < 8; ++j) load(i + j, w[j]);
      add_eight(w);
    }
    for (; i < count; ++i) {
      load(i, w[0]);
      add(w[0], 0);
    }
  }

  void finish() {
    add(ones, 0);
    add(twos, 1);
    add(fours, 2);
  }
};

template <int words>
void sum_block(const int32_t* plain, int plain_count, const int32_t* inverted, int inverted_count, const uint64_t* slots, int rows,
               int64_t offset, int32_t* counts, int stride) {
  using W = typename Vector<words>::type;
  Counter<words> counter;
  while (counter.used < kPlanes - 1 && (int64_t(1) << counter.used) <= int64_t(plain_count) + inverted_count) ++counter.used;
  counter.template add_slots<false>(plain, plain_count, slots);
  counter.template add_slots<true>(inverted, inverted_count, slots);
  counter.finish();
  for (int r = 0; r < rows; ++r) counts[static_cast<size_t>(r) * stride] = static_cast<int32_t>(offset);
  // Eight planes make one byte of each sample's count: transpose bytes to samples, then the bits within.
  for (int first = 0; first < counter.used; first += 8) {
    W m[8];
    for (int d = 0; d < 8; ++d) m[d] = counter.planes[first + d];
    transpose_bytes(m);
    for (int t = 0; t < 8; ++t) {
      transpose_bits(m[t]);
      uint8_t bytes[words][8];
      std::memcpy(bytes, &m[t], sizeof(bytes));
      for (int word = 0; word < words; ++word) {
        const int row = word * 64 + t * 8, count = std::min(8, rows - row);
        int32_t* out = counts + static_cast<size_t>(row) * stride;
        for (int s = 0; s < count; ++s) out[static_cast<size_t>(s) * stride] += int32_t(bytes[word][s]) << first;
      }
    }
  }
}

// body<words>() for one of kSlotWords.
#define RNDR_BY_WORDS(call)           \
  switch (words) {                    \
    case 1: call<1>(RNDR_ARGS); break; \
    case 2: call<2>(RNDR_ARGS); break; \
    case 4: call<4>(RNDR_ARGS); break; \
    default: call<8>(RNDR_ARGS);       \
  }

void pack_kernel(int words, const uint8_t* x, size_t row_stride, int rows, int inputs, uint64_t* slots) {
#define RNDR_ARGS x, row_stride, rows, inputs, slots
  RNDR_BY_WORDS(pack_block)
#undef RNDR_ARGS
}

void run_kernel(int words, const BitRun* runs, int count, const int32_t* a, const int32_t* b, uint64_t* slots) {
#define RNDR_ARGS runs, count, a, b, slots
  RNDR_BY_WORDS(run_block)
#undef RNDR_ARGS
}

void sum_kernel(int words, const int32_t* plain, int plain_count, const int32_t* inverted, int inverted_count, const uint64_t* slots,
                int rows, int64_t offset, int32_t* counts, int stride) {
#define RNDR_ARGS plain, plain_count, inverted, inverted_count, slots, rows, offset, counts, stride
  RNDR_BY_WORDS(sum_block)
#undef RNDR_ARGS
}

}  // namespace

BitKernels bit_kernels() { return {pack_kernel, run_kernel, sum_kernel}; }

RNDR_NAMESPACE_END
