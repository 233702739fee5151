#include "cpu/logic_program.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "cpu/kernels.h"
#include "logic/bits.h"
#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int64_t kSamples = 64;    // of a word
constexpr int64_t kUnpackChunk = 16;  // words

// Slots on cache lines, so that no vector crosses two.
struct Free {
  void operator()(uint64_t* p) const { ::operator delete[](p, std::align_val_t(64)); }
};
std::unique_ptr<uint64_t[], Free> slot_buffer(int64_t words) {
  return std::unique_ptr<uint64_t[], Free>(
      static_cast<uint64_t*>(::operator new[](sizeof(uint64_t) * std::max<int64_t>(words, 1), std::align_val_t(64))));
}

void copy_words(const LogicInputs& in, int64_t first, int words, int inputs, uint64_t* slots) {
  const int64_t row = (in.samples + kSamples - 1) / kSamples;
  const int there = static_cast<int>(std::min<int64_t>(words, row - first));
  for (int i = 0; i < inputs; ++i) {
    std::memcpy(slots + static_cast<size_t>(i) * words, in.words + i * row + first, sizeof(uint64_t) * there);
    std::fill(slots + static_cast<size_t>(i) * words + there, slots + static_cast<size_t>(i + 1) * words, 0);
  }
}

}  // namespace

void logic_program_counts(const LogicProgram& p, const LogicInputs& in, int words, const char* level, int threads, int32_t* counts) {
  if (std::find(std::begin(kSlotWords), std::end(kSlotWords), words) == std::end(kSlotWords))
    throw std::invalid_argument("block_words: expected 1, 2, 4 or 8, got " + std::to_string(words));
  const BitKernels& k = simd_level(level).bits;
  const int64_t block = kSamples * words;
  const long blocks = static_cast<long>((in.samples + block - 1) / block);
  // Counts are exact, so the split may follow the threads: few buffers, and some chunks a thread to share out.
  const long chunks = threads == 1 ? 1 : 4L * threads;
  parallel_chunks(blocks, std::max(1L, (blocks + chunks - 1) / chunks), threads, [&](long begin, long end) {
    const auto slots = slot_buffer(int64_t(p.slots) * words);
    for (long i = begin; i < end; ++i) {
      const int64_t first = i * block;
      const int rows = static_cast<int>(std::min(block, in.samples - first));
      if (in.bytes)
        k.pack(words, in.bytes + first * p.inputs, p.inputs, rows, p.inputs, slots.get());
      else
        copy_words(in, first / kSamples, words, p.inputs, slots.get());
      k.run(words, p.runs, p.run_count, p.a, p.b, slots.get());
      for (int g = 0; g < p.groups; ++g) {
        const int32_t* at = p.group_starts + 2 * g;
        k.sum(words, p.outputs + at[0], at[1] - at[0], p.outputs + at[1], at[2] - at[1], slots.get(), rows, p.offsets[g],
              counts + first * p.groups + g, p.groups);
      }
    }
  });
}

void pack_bits(const uint8_t* bytes, int64_t samples, int signals, const char* level, int threads, uint64_t* words) {
  const BitKernels& k = simd_level(level).bits;
  const int64_t row = (samples + kSamples - 1) / kSamples;
  const int wide = 8;
  parallel_chunks(static_cast<long>(row), wide, threads, [&](long begin, long end) {
    const auto block = slot_buffer(int64_t(signals) * wide);
    const int64_t first = begin * kSamples;
    k.pack(wide, bytes + first * signals, signals, static_cast<int>(std::min<int64_t>(wide * kSamples, samples - first)), signals,
           block.get());
    for (int i = 0; i < signals; ++i)
      std::memcpy(words + i * row + begin, block.get() + static_cast<size_t>(i) * wide, sizeof(uint64_t) * (end - begin));
  });
}

void unpack_bits(const uint64_t* words, int64_t samples, int signals, int threads, uint8_t* bytes) {
  const int64_t row = (samples + kSamples - 1) / kSamples;
  parallel_chunks(static_cast<long>(row), kUnpackChunk, threads, [&](long begin, long end) {
    for (long w = begin; w < end; ++w) {
      const int count = static_cast<int>(std::min(kSamples, samples - w * kSamples));
      for (int first = 0; first < signals; first += 8) {
        const int there = std::min(8, signals - first);
        uint64_t m[8] = {};
        for (int j = 0; j < there; ++j) m[j] = words[(first + j) * row + w];
        transpose_bytes(m);  // byte j of m[t]: signal j of samples 8 t ..
        for (int s = 0; s < count; ++s) {
          uint8_t* out = bytes + (w * kSamples + s) * signals + first;
          for (int j = 0; j < there; ++j) out[j] = m[s / 8] >> (8 * j + s % 8) & 1;
        }
      }
    }
  });
}

}  // namespace rndr
