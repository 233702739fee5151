// Columns go through the network a tile at a time, (column, wire): neighbouring threads meet neighbouring wires. One block does all tiles
// of a row backward, so that the sums over columns come out the same every time.
#include "cuda/sort_payload.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kTileColumns = 8;

template <class R, class T>
__global__ void __launch_bounds__(kMostSortThreads)
    shares_kernel(Comparators net, RelaxationSettings<T> s, const T* x, bool backward, T* state, T* shares) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * net.wires;
  T* row = state + at;
  T* out = shares + static_cast<int64_t>(blockIdx.x) * net.count * (backward ? kBackwardShares : kForwardShares);
  copy_together(x + at, net.wires, row);
  for (int l = 0; l < net.layers; ++l)
    each_comparator(net, l, [&](int k) {
      T &lo = row[net.lo[k]], &hi = row[net.hi[k]];
      const Share<T> share = share_of<R>(hi - lo, s);
      out[k] = share.move;
      if (backward) {
        out[net.count + k] = share.soft;
        out[2 * net.count + k] = share.weight;
        out[3 * net.count + k] = share.slope;
      }
      exchange(share.move, share.stay, lo, hi);
    });
}

// Columns first ... first + used - 1 of a payload (wires, columns) into a tile, and back; with a barrier.
template <class T>
__device__ void load_tile(const T* from, int wires, int columns, int first, int used, T* tile) {
  for (int i = static_cast<int>(threadIdx.x); i < wires * used; i += static_cast<int>(blockDim.x))
    tile[i % used * wires + i / used] = from[static_cast<int64_t>(i / used) * columns + first + i % used];
  __syncthreads();
}
template <class T>
__device__ void store_tile(const T* tile, int wires, int columns, int first, int used, T* to) {
  for (int i = static_cast<int>(threadIdx.x); i < wires * used; i += static_cast<int>(blockDim.x))
    to[static_cast<int64_t>(i / used) * columns + first + i % used] = tile[i % used * wires + i / used];
  __syncthreads();
}

// A block for each tile of a row: (batch, tiles). Without shared memory the tile lies in `out`, wire by wire.
template <class T>
__global__ void __launch_bounds__(kMostSortThreads)
    forward_kernel(Comparators net, bool in_shared, bool transposed, const T* shares, const T* payload, int columns, int tiles, T* out) {
  const int row = static_cast<int>(blockIdx.x) / tiles;
  const int first = static_cast<int>(blockIdx.x) % tiles * kTileColumns, used = min_(kTileColumns, columns - first);
  const int64_t at = static_cast<int64_t>(row) * net.wires * columns;
  const T* move = shares + static_cast<int64_t>(row) * net.count;
  T* tile = in_shared ? dynamic_shared<T>() : out + at + first;
  const int64_t wire_stride = in_shared ? 1 : columns, column_stride = in_shared ? net.wires : 1;
  if (in_shared) {
    load_tile(payload + at, net.wires, columns, first, used, tile);
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < net.wires * used; i += static_cast<int>(blockDim.x)) {
      const int64_t where = static_cast<int64_t>(i / used) * columns + i % used;
      tile[where] = payload[at + first + where];
    }
    __syncthreads();
  }
  for (int i = 0; i < net.layers; ++i)
    each_comparator(net, transposed ? net.layers - 1 - i : i, [&](int k) {
      const T share = move[k];
      T *lo = tile + net.lo[k] * wire_stride, *hi = tile + net.hi[k] * wire_stride;
      for (int c = 0; c < used; ++c) exchange(share, 1 - share, lo[c * column_stride], hi[c * column_stride]);
    });
  if (in_shared) store_tile(tile, net.wires, columns, first, used, out + at);
}

// grid: (batch).
template <class T>
__global__ void __launch_bounds__(kMostSortThreads)
    backward_kernel(Comparators net, Segments segments, const T* all_shares, const T* payload, const T* grad, int columns,
                                T* grad_x, T* moved, T* shared, T* scratch, int64_t scratch_size) {
  const int row = static_cast<int>(blockIdx.x), wires = net.wires;
  const int64_t at = static_cast<int64_t>(row) * wires * columns, tile_size = static_cast<int64_t>(wires) * kTileColumns;
  const T *move = all_shares + static_cast<int64_t>(row) * net.count * kBackwardShares, *soft = move + net.count;
  const T *weight = soft + net.count, *slope = weight + net.count;
  T* tile = scratch + row * scratch_size;
  T *g = tile + tile_size, *borders = g + tile_size, *products = borders + tile_size * segments.count;
  T* differences = products + net.count;
  for (int k = static_cast<int>(threadIdx.x); k < net.count; k += static_cast<int>(blockDim.x)) products[k] = T(0);
  for (int first = 0; first < columns; first += kTileColumns) {
    const int used = min_(kTileColumns, columns - first);
    load_tile(payload + at, wires, columns, first, used, tile);
    load_tile(grad + at, wires, columns, first, used, g);
    // A layer forward; the differences before it are kept from comparator `start` on, unless that is negative.
    const auto layer = [&](int l, int start) {
      each_comparator(net, l, [&](int k) {
        const T share = move[k];
        T *lo = tile + net.lo[k], *hi = tile + net.hi[k];
        for (int c = 0; c < used; ++c) {
          if (start >= 0) differences[static_cast<int64_t>(k - start) * kTileColumns + c] = hi[c * wires] - lo[c * wires];
          exchange(share, 1 - share, lo[c * wires], hi[c * wires]);
        }
      });
    };
    for (int segment = 0; segment + 1 < segments.count; ++segment) {
      copy_together(tile, wires * used, borders + segment * tile_size);
      for (int l = segment * segments.layers; l < (segment + 1) * segments.layers; ++l) layer(l, -1);
    }
    for (int segment = segments.count - 1; segment >= 0; --segment) {
      if (segment + 1 < segments.count) copy_together(borders + segment * tile_size, wires * used, tile);
      const int begin = segment * segments.layers, end = min_(net.layers, begin + segments.layers);
      const int start = net.starts[begin];
      for (int l = begin; l < end; ++l) layer(l, start);
      if (moved && segment + 1 == segments.count) store_tile(tile, wires, columns, first, used, moved + at);
      for (int l = end - 1; l >= begin; --l)
        each_comparator(net, l, [&](int k) {
          const T share = soft[k];
          T *lo = g + net.lo[k], *hi = g + net.hi[k];
          T sum = T(0);
          for (int c = 0; c < used; ++c) {
            const T s = hi[c * wires] - lo[c * wires], amount = share * s;
            sum += s * differences[static_cast<int64_t>(k - start) * kTileColumns + c];
            lo[c * wires] += amount;
            hi[c * wires] -= amount;
          }
          products[k] += sum;
        });
    }
    if (shared) store_tile(g, wires, columns, first, used, shared + at);
  }
  T* out = grad_x + static_cast<int64_t>(row) * wires;
  for (int i = static_cast<int>(threadIdx.x); i < wires; i += static_cast<int>(blockDim.x)) out[i] = T(0);
  __syncthreads();
  for (int l = net.layers - 1; l >= 0; --l)
    each_comparator(net, l, [&](int k) {
      T &lo = out[net.lo[k]], &hi = out[net.hi[k]];
      const T amount = weight[k] * (hi - lo) - slope[k] * products[k];
      lo += amount;
      hi -= amount;
    });
}

}  // namespace

template <class T>
void sort_shares(const SortSettings& s, int batch, const T* x, bool backward, T* state, T* shares, cudaStream_t stream) {
  const Launch how{dim3(static_cast<unsigned>(batch)), dim3(sort_threads(s.network.wires)), 0, stream};
  with_relaxation(Relaxations{}, s.relaxation, [&](auto r) {
    launch(shares_kernel<decltype(r), T>, how, s.network, relaxation_settings<T>(s), x, backward, state, shares);
  });
}

template <class T>
void sort_payload_forward(const SortSettings& s, int batch, const T* shares, const T* payload, int columns, bool transposed, T* out,
                          cudaStream_t stream) {
  const Comparators& net = s.network;
  const size_t bytes = static_cast<size_t>(net.wires) * (columns < kTileColumns ? columns : kTileColumns) * sizeof(T);
  const bool in_shared = bytes <= kSharedBytes;
  const unsigned tiles = blocks_for(columns, kTileColumns);
  const Launch how{dim3(blocks_for(int64_t{batch} * tiles, 1)), dim3(sort_threads(net.wires)), in_shared ? bytes : 0, stream};
  launch(forward_kernel<T>, how, net, in_shared, transposed, shares, payload, columns, static_cast<int>(tiles), out);
}

int64_t sort_payload_scratch(int wires, int layers, int comparators) {
  const Segments segments = segments_of(layers);
  const int64_t tiles = 2 + segments.count;
  return wires * kTileColumns * tiles + comparators + static_cast<int64_t>(segments.layers) * (wires / 2) * kTileColumns;
}

template <class T>
void sort_payload_backward(const SortSettings& s, int batch, const T* shares, const T* payload, const T* grad, int columns, T* grad_x,
                           T* moved, T* shared, T* scratch, cudaStream_t stream) {
  const Comparators& net = s.network;
  const Launch how{dim3(static_cast<unsigned>(batch)), dim3(sort_threads(net.wires)), 0, stream};
  launch(backward_kernel<T>, how, net, segments_of(net.layers), shares, payload, grad, columns, grad_x, moved, shared, scratch,
         sort_payload_scratch(net.wires, net.layers, net.count));
}

#define RNDR_INSTANTIATE(T)                                                                                                   \
  template void sort_shares<T>(const SortSettings&, int, const T*, bool, T*, T*, cudaStream_t);                               \
  template void sort_payload_forward<T>(const SortSettings&, int, const T*, const T*, int, bool, T*, cudaStream_t);           \
  template void sort_payload_backward<T>(const SortSettings&, int, const T*, const T*, const T*, int, T*, T*, T*, T*, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
