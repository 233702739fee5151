// Bit-packed logic programs: the interpreter, packing and unpacking.
#pragma once
#include <cstdint>

#include "cpu/logic_table.h"

namespace rndr {

// A schedule as renderer/logic/schedule.py makes it. Inputs lie in slots 0 .. inputs - 1; output o of group g is the slot
// outputs[o], o from group_starts[2 g] on, and inverted from group_starts[2 g + 1] up to group_starts[2 g + 2].
struct LogicProgram {
  int inputs, slots, run_count, groups;
  const BitRun* runs;
  const int32_t *a, *b, *outputs, *group_starts;
  const int64_t* offsets;  // (groups), added to the counts: constant outputs
};

// Samples as bytes 0 or 1, (samples, inputs), or as bits: bit s % 64 of word (i, s / 64) is input i of sample s.
struct LogicInputs {
  const uint8_t* bytes;
  const uint64_t* words;
  int64_t samples;
};

// counts: (samples, groups). block_words: words of a slot, one of kSlotWords.
void logic_program_counts(const LogicProgram& program, const LogicInputs& inputs, int block_words, const char* level, int threads,
                          int32_t* counts);

// (samples, signals) bytes to (signals, ceil(samples / 64)) words; bits beyond the samples are 0. And back.
void pack_bits(const uint8_t* bytes, int64_t samples, int signals, const char* level, int threads, uint64_t* words);
void unpack_bits(const uint64_t* words, int64_t samples, int signals, int threads, uint8_t* bytes);

}  // namespace rndr
