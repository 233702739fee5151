#include "cuda/logic_program.h"

#include "logic/bits.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kThreads = 128;
constexpr int kSamples = 64;  // of a word

__global__ void pack_kernel(const uint8_t* bytes, int64_t samples, int signals, int64_t words, uint64_t* out) {
  const int signal = blockIdx.x * kThreads + threadIdx.x;
  if (signal >= signals) return;
  for (int64_t w = blockIdx.y; w < words; w += gridDim.y) {
    uint64_t word = 0;
    for (int s = 0; s < kSamples && w * kSamples + s < samples; ++s)
      word |= static_cast<uint64_t>(bytes[(w * kSamples + s) * signals + signal]) << s;
    out[signal * words + w] = word;
  }
}

template <BitGate gate>
__global__ void run_kernel(int count, const int32_t* a, const int32_t* b, int64_t words, const uint64_t* slots, uint64_t* out) {
  const int64_t w = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (w >= words) return;
  for (int i = blockIdx.y; i < count; i += gridDim.y) bit_gate<gate>(slots[a[i] * words + w], slots[b[i] * words + w], out[i * words + w]);
}

__global__ void sum_kernel(int groups, const int32_t* outputs, const int32_t* group_starts, const int64_t* offsets, const uint64_t* slots,
                           int64_t samples, int64_t words, int32_t* counts) {
  const int64_t sample = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (sample >= samples) return;
  for (int g = blockIdx.y; g < groups; g += gridDim.y) {
    const int32_t* start = group_starts + 2 * g;
    int32_t count = static_cast<int32_t>(offsets[g]) + start[2] - start[1];
    for (int o = start[0]; o < start[2]; ++o) {
      const int32_t bit = slots[outputs[o] * words + sample / kSamples] >> (sample % kSamples) & 1;
      count += o < start[1] ? bit : -bit;
    }
    counts[sample * groups + g] = count;
  }
}

}  // namespace

void pack_bits(const uint8_t* bytes, int64_t samples, int signals, uint64_t* words, cudaStream_t stream) {
  const int64_t row = (samples + kSamples - 1) / kSamples;
  launch(pack_kernel, {dim3(blocks_for(signals, kThreads), grid_rows(row)), dim3(kThreads), 0, stream}, bytes, samples, signals, row, words);
}

void logic_program_run(int gate, int count, const int32_t* a, const int32_t* b, int64_t words, const uint64_t* slots, uint64_t* out,
                       cudaStream_t stream) {
  const Launch where{dim3(blocks_for(words, kThreads), grid_rows(count)), dim3(kThreads), 0, stream};
  switch (static_cast<BitGate>(gate)) {
    case BitGate::kAnd: return launch(run_kernel<BitGate::kAnd>, where, count, a, b, words, slots, out);
    case BitGate::kAndNot: return launch(run_kernel<BitGate::kAndNot>, where, count, a, b, words, slots, out);
    case BitGate::kXor: return launch(run_kernel<BitGate::kXor>, where, count, a, b, words, slots, out);
    case BitGate::kOr: return launch(run_kernel<BitGate::kOr>, where, count, a, b, words, slots, out);
  }
}

void logic_program_sum(int groups, const int32_t* outputs, const int32_t* group_starts, const int64_t* offsets, const uint64_t* slots,
                       int64_t samples, int32_t* counts, cudaStream_t stream) {
  const Launch where{dim3(blocks_for(samples, kThreads), grid_rows(groups)), dim3(kThreads), 0, stream};
  launch(sum_kernel, where, groups, outputs, group_starts, offsets, slots, samples, (samples + kSamples - 1) / kSamples, counts);
}

RNDR_NAMESPACE_END
