// Sums that many threads add to rows of a tensor.
//
// Atomics are fast and add in any order. Where the caller wants the same bits every time, each source writes its share to a place of its own
// and the caller adds them up.
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct Scatter {
  T* target;      // (rows, width)
  int width;
  int64_t* row;   // (sources,): or null, for atomics
  T* share;       // (sources, width)

  RNDR_HD bool ordered() const { return row != nullptr; }
  __device__ void add(int64_t to, int column, T value) const {
    if (value != T(0)) atomicAdd(target + to * width + column, value);
  }
  __device__ void put(size_t source, int64_t to, int column, T value) const {
    row[source] = to;
    share[source * width + column] = value;
  }
};

// The first thread of the block with the same key: it adds for all of them. `keys` is shared memory of one entry a thread.
__device__ inline int leader_of(int64_t key, int64_t* keys) {
  keys[threadIdx.x] = key;
  __syncthreads();
  int first = 0;
  while (keys[first] != key) ++first;
  return first;
}

RNDR_NAMESPACE_END
