// Sums over the threads of a block, always in the same order.
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

// The sum of `value`, in thread 0. `shared` has one entry a thread; their number is a power of two.
template <int threads, class T>
__device__ T block_sum(T value, T* shared) {
  const int me = static_cast<int>(threadIdx.x);
  __syncthreads();
  shared[me] = value;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (me < half) shared[me] += shared[me + half];
  }
  return shared[0];
}

RNDR_NAMESPACE_END
