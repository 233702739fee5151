// Which items meet which cell of a grid, cell by cell: counted, scanned, filled.
//
// The number of (item, cell) pairs is known to the device alone, so the room for them is a guess that the host improves from call to call
// (renderer/ops/cuda.py). It may be too small: a cell whose list does not fit has none, and whoever works on it looks at every item. So
// nothing is ever left out, nobody waits for the device, and a CUDA graph may be captured with whatever room there is; room for nothing
// means every item in its order, which is how sums come out the same every time.
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

struct CellRange {
  int c0, c1, r0, r1;
  RNDR_HD bool contains(int column, int row) const { return column >= c0 && column <= c1 && row >= r0 && row <= r1; }
};

// Buffers: views x cells lists.
struct Bins {
  unsigned* count;   // (views x cells,)
  int64_t* start;    // (views x cells + 1,)
  int* item;         // (room,)
  long long room;
  int64_t* total;    // on the host: where the number of pairs is left
};

// The items of one cell: `count` of `item`, or of all where item is null.
struct CellItems {
  const int* item;
  int count;
  RNDR_HD int at(int i) const { return item ? item[i] : i; }
};

__device__ inline CellItems items_of(const Bins& bins, long long cell, int items) {
  if (bins.room == 0 || bins.start[cell + 1] > bins.room) return {nullptr, items};
  return {bins.item + bins.start[cell], static_cast<int>(bins.start[cell + 1] - bins.start[cell])};
}

// Cells: bool range(view, item, CellRange&) const, false for an item in no cell.
template <bool fill, class Cells>
__global__ void bin_kernel(Cells cells, int views, int items, int columns, int per_view, Bins bins) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= static_cast<long long>(views) * items) return;
  const int view = static_cast<int>(i / items), item = static_cast<int>(i % items);
  CellRange r;
  if (!cells.range(view, item, r)) return;
  for (int row = r.r0; row <= r.r1; ++row)
    for (int column = r.c0; column <= r.c1; ++column) {
      const long long cell = static_cast<long long>(view) * per_view + row * columns + column;
      if constexpr (fill) {
        // Counts down, from the end of the list to its start.
        const long long at = bins.start[cell] + atomicAdd(&bins.count[cell], ~0u) - 1;
        if (at < bins.room) bins.item[at] = item;
      } else {
        atomicAdd(&bins.count[cell], 1u);
      }
    }
}

void scan_counts(const Bins& bins, long long cells, cudaStream_t stream);  // cuda/bins.cu

template <class Cells>
void bin_items(const Cells& cells, int views, int items, int columns, int rows, const Bins& bins, cudaStream_t stream) {
  if (bins.room == 0) return;
  constexpr int threads = 128;
  const int per_view = columns * rows;
  const Launch over_items{blocks_for(static_cast<long long>(views) * items, threads), threads, 0, stream};
  cudaMemsetAsync(bins.count, 0, sizeof(unsigned) * views * per_view, stream);
  launch(bin_kernel<false, Cells>, over_items, cells, views, items, columns, per_view, bins);
  scan_counts(bins, static_cast<long long>(views) * per_view, stream);
  launch(bin_kernel<true, Cells>, over_items, cells, views, items, columns, per_view, bins);
}

RNDR_NAMESPACE_END
