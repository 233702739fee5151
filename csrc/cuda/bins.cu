#include "cuda/bins.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kThreads = 512, kEach = 8;  // counts a thread takes at a time

// Exclusive sums of all counts, by one block.
__global__ void __launch_bounds__(kThreads) scan_kernel(Bins bins, long long cells) {
  __shared__ long long sums[kThreads];
  const int me = static_cast<int>(threadIdx.x);
  long long before = 0;
  for (long long base = 0; base < cells; base += kThreads * kEach) {
    const long long first = base + me * kEach;
    long long own = 0;
    for (int i = 0; i < kEach; ++i) own += first + i < cells ? bins.count[first + i] : 0;
    sums[me] = own;
    for (int reach = 1; reach < kThreads; reach *= 2) {
      __syncthreads();
      const long long other = me >= reach ? sums[me - reach] : 0;
      __syncthreads();
      sums[me] += other;
    }
    __syncthreads();
    long long at = before + sums[me] - own;
    for (int i = 0; i < kEach && first + i < cells; ++i) {
      bins.start[first + i] = at;
      at += bins.count[first + i];
    }
    before += sums[kThreads - 1];
    __syncthreads();
  }
  if (me == 0) {
    bins.start[cells] = before;
    *bins.total = before;
  }
}

}  // namespace

void scan_counts(const Bins& bins, long long cells, cudaStream_t stream) { launch(scan_kernel, {1, kThreads, 0, stream}, bins, cells); }

RNDR_NAMESPACE_END
