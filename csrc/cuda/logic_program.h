// Bit-packed logic programs on the GPU: cpu/logic_program.h. All samples at once: slot s of word w is slots[s * words + w].
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

// (samples, signals) bytes to (signals, ceil(samples / 64)) words.
void pack_bits(const uint8_t* bytes, int64_t samples, int signals, uint64_t* words, cudaStream_t stream);

// `count` gates of one kind (a BitGate) on slots a and b; the results are `out` and what follows.
void logic_program_run(int gate, int count, const int32_t* a, const int32_t* b, int64_t words, const uint64_t* slots, uint64_t* out,
                       cudaStream_t stream);

// counts: (samples, groups); outputs and group_starts as of cpu/logic_program.h.
void logic_program_sum(int groups, const int32_t* outputs, const int32_t* group_starts, const int64_t* offsets, const uint64_t* slots,
                       int64_t samples, int32_t* counts, cudaStream_t stream);

RNDR_NAMESPACE_END
