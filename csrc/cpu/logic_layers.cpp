#include "cpu/logic_layers.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/kernels.h"
#include "support/parallel.h"
#include "support/scratch.h"

namespace rndr {
namespace {

// A layer's rows should stay in the second-level cache: 8,000 neurons are quickest at the tile of 32 this gives, forward by a
// third against 64.
constexpr int64_t kTileBudget = int64_t(1) << 20;  // bytes
// Chunks that sum their own gradient of the coefficients: many enough for threads, few enough for memory.
constexpr int kSumChunks = 8;
constexpr int64_t kCoefficientChunk = 2048;  // neurons

struct FirstRows {};
struct SecondRows {};
struct InnerRows {};
struct Sums {};

template <class T>
class Stack {
 public:
  Stack(const LogicStack<T>& s, const LogicKernels<T>& k) : s_(s), k_(k), starts_(s.layers + 1, 0), widest_(s.inputs) {
    for (int l = 0; l < s.layers; ++l) {
      starts_[l + 1] = starts_[l] + s.widths[l];
      widest_ = std::max(widest_, s.widths[l]);
    }
    check();
    // The largest tile that is not much wider than the samples there are, and at which a layer fits.
    tile_ = kLogicTiles[0];
    for (const int tile : kLogicTiles)
      if (widest_ * tile * int64_t(sizeof(T)) <= kTileBudget && padded(tile) <= padded(tile_)) tile_ = tile;
  }

  int tile() const { return tile_; }
  int tiles() const { return (s_.columns + tile_ - 1) / tile_; }
  int64_t neurons() const { return starts_.back(); }
  int64_t width(int layer) const { return s_.widths[layer]; }  // of the layer's output
  int64_t last_width() const { return s_.widths[s_.layers - 1]; }
  int64_t outputs() const { return s_.groups ? s_.groups : last_width(); }
  int64_t of_group() const { return last_width() / outputs(); }
  int64_t widest() const { return widest_; }
  int64_t inner_rows() const { return s_.inputs + neurons() - last_width(); }  // inputs of all layers
  int valid(int tile_index) const { return std::min(tile_, s_.columns - tile_index * tile_); }

  LogicLayerView<T> layer(int l) const {
    return {static_cast<int>(s_.widths[l]), s_.a + starts_[l], s_.b + starts_[l], s_.coefficients + 4 * starts_[l]};
  }
  int64_t start(int l) const { return starts_[l]; }

  // Rows of one tile, side by side; columns that do not exist are 0.
  void load(const Strided<T>& m, int64_t rows, int batch, int tile_index, T* out) const {
    const int columns = valid(tile_index);
    const T* from = m.data + batch * m.batch_stride + int64_t(tile_index) * tile_ * m.column_stride;
    if (m.column_stride != 1) return load_across(m, from, rows, columns, out);
    for (int64_t r = 0; r < rows; ++r, out += tile_) {
      const T* row = from + r * m.row_stride;
      std::memcpy(out, row, sizeof(T) * columns);
      std::fill(out + columns, out + tile_, T(0));
    }
  }

  // The reverse, into (batch, rows, columns).
  void store(const T* from, int64_t rows, int batch, int tile_index, T* out) const {
    const int columns = valid(tile_index);
    out += batch * rows * s_.columns + int64_t(tile_index) * tile_;
    for (int64_t r = 0; r < rows; ++r, from += tile_, out += s_.columns) std::memcpy(out, from, sizeof(T) * columns);
  }

 private:
  int64_t padded(int tile) const { return (int64_t(s_.columns) + tile - 1) / tile * tile; }

  // Samples are rows of memory: a cache line of each at a time, whose numbers go to as many rows of the tile.
  void load_across(const Strided<T>& m, const T* from, int64_t rows, int columns, T* out) const {
    constexpr int64_t some = 64 / sizeof(T);
    const int64_t tile = tile_, step = m.row_stride;
    int64_t first = 0;
    for (; first + some <= rows; first += some) {
      for (int j = 0; j < columns; ++j) {
        const T* sample = from + j * m.column_stride + first * step;
        T* to = out + first * tile + j;
        for (int r = 0; r < some; ++r) to[r * tile] = sample[r * step];
      }
    }
    for (int j = 0; j < columns; ++j)
      for (int64_t r = first; r < rows; ++r) out[r * tile + j] = from[j * m.column_stride + r * step];
    if (columns < tile)
      for (int64_t r = 0; r < rows; ++r) std::fill(out + r * tile + columns, out + (r + 1) * tile, T(0));
  }

  void check() const {
    if (s_.groups < 0 || (s_.groups && last_width() % s_.groups))
      throw std::invalid_argument("groups: expected a divisor of " + std::to_string(last_width()) + ", got " + std::to_string(s_.groups));
    int64_t before = s_.inputs;
    for (int l = 0; l < s_.layers; ++l) {
      const int64_t begin = starts_[l], end = starts_[l + 1];
      int32_t low = 0, high = -1;
      for (int64_t i = begin; i < end; ++i) {
        low = std::min({low, s_.a[i], s_.b[i]});
        high = std::max({high, s_.a[i], s_.b[i]});
      }
      if (low < 0 || high >= before)
        throw std::invalid_argument("indices: expected 0 to " + std::to_string(before - 1) + " in layer " + std::to_string(l) + ", got " +
                                    std::to_string(low < 0 ? low : high));
      before = s_.widths[l];
    }
  }

  const LogicStack<T>& s_;
  const LogicKernels<T>& k_;
  std::vector<int64_t> starts_;
  int64_t widest_;
  int tile_;
};

}  // namespace

template <class T>
void logic_layers_forward(const LogicStack<T>& s, const Strided<T>& x, const char* level, int threads, T* y) {
  const LogicKernels<T>& k = table<T>(simd_level(level)).logic;
  const Stack<T> stack(s, k);
  const int64_t buffer_size = stack.widest() * stack.tile();
  const long items = long(s.batch) * stack.tiles();
  const long chunk = std::max(1L, (items + 4L * threads - 1) / (4L * threads));  // no sums here, so that the split changes nothing
  parallel_chunks(items, chunk, threads, [&](long begin, long end) {
    T *first = scratch<FirstRows, T>(buffer_size), *second = scratch<SecondRows, T>(buffer_size);
    for (long item = begin; item < end; ++item) {
      const int batch = static_cast<int>(item / stack.tiles()), tile = static_cast<int>(item % stack.tiles());
      T *before = first, *after = second;
      stack.load(x, s.inputs, batch, tile, before);
      for (int l = 0; l < s.layers; ++l) {
        k.forward(stack.tile(), stack.layer(l), before, after);
        std::swap(before, after);
      }
      if (s.groups) {
        k.sum(stack.tile(), s.groups, stack.of_group(), before, after);
        before = after;
      }
      stack.store(before, stack.outputs(), batch, tile, y);
    }
  });
}

template <class T>
void logic_layers_backward(const LogicStack<T>& s, const Strided<T>& x, const Strided<T>& grad_y, const char* level, int threads,
                           T* grad_x, T* grad_coefficients) {
  const LogicKernels<T>& k = table<T>(simd_level(level)).logic;
  const Stack<T> stack(s, k);
  const int tile_size = stack.tile();
  // The split depends on the shapes alone, and so does every sum.
  const int chunks = s.batch >= kSumChunks ? 1 : std::max(1, std::min(kSumChunks, stack.tiles()));
  const int64_t sums_size = 4 * stack.neurons();
  T* const sums = scratch<Sums, T>(chunks > 1 ? s.batch * chunks * sums_size : 0);
  parallel_items(s.batch * chunks, threads, [&](int item) {
    const int batch = item / chunks, chunk = item % chunks;
    T* sum = chunks > 1 ? sums + item * sums_size : grad_coefficients + batch * sums_size;
    std::fill_n(sum, sums_size, T(0));
    T* inner = scratch<InnerRows, T>(stack.inner_rows() * tile_size);
    T *first = scratch<FirstRows, T>(stack.widest() * tile_size), *second = scratch<SecondRows, T>(stack.widest() * tile_size);
    for (int tile = chunk; tile < stack.tiles(); tile += chunks) {
      stack.load(x, s.inputs, batch, tile, inner);
      T* rows = inner;
      for (int l = 0; l + 1 < s.layers; ++l) {
        T* next = rows + (l ? stack.width(l - 1) : s.inputs) * tile_size;
        k.forward(tile_size, stack.layer(l), rows, next);
        rows = next;
      }
      T *grad = first, *grad_before = second;
      stack.load(grad_y, stack.outputs(), batch, tile, s.groups ? grad_before : grad);
      if (s.groups) k.spread(tile_size, s.groups, stack.of_group(), grad_before, grad);
      for (int l = s.layers - 1; l >= 0; --l) {
        const int64_t inputs = l ? stack.width(l - 1) : s.inputs;
        std::fill_n(grad_before, inputs * tile_size, T(0));
        k.backward(tile_size, stack.layer(l), rows, grad, grad_before, sum + 4 * stack.start(l));
        std::swap(grad, grad_before);
        if (l) rows -= (l > 1 ? stack.width(l - 2) : s.inputs) * tile_size;
      }
      stack.store(grad, s.inputs, batch, tile, grad_x);
    }
  });
  if (chunks == 1) return;
  for (int batch = 0; batch < s.batch; ++batch) {
    parallel_chunks(sums_size, 4 * kCoefficientChunk, threads, [&](long begin, long end) {
      T* out = grad_coefficients + batch * sums_size;
      std::copy(sums + int64_t(batch) * chunks * sums_size + begin, sums + int64_t(batch) * chunks * sums_size + end, out + begin);
      for (int chunk = 1; chunk < chunks; ++chunk) {
        const T* part = sums + (int64_t(batch) * chunks + chunk) * sums_size;
        for (long i = begin; i < end; ++i) out[i] += part[i];
      }
    });
  }
}

template <class T>
void logic_coefficients_forward(int64_t n, const T* z, double temperature, const char* level, int threads, T* coefficients) {
  const auto& k = table<T>(simd_level(level)).logic;
  parallel_chunks(n, kCoefficientChunk, threads, [&](long begin, long end) {
    k.coefficients(static_cast<int>(end - begin), z + 16 * begin, T(1 / temperature), coefficients + 4 * begin);
  });
}

template <class T>
void logic_coefficients_backward(int64_t n, const T* z, double temperature, const T* grad, const char* level, int threads, T* grad_z) {
  const auto& k = table<T>(simd_level(level)).logic;
  parallel_chunks(n, kCoefficientChunk, threads, [&](long begin, long end) {
    k.coefficients_gradient(static_cast<int>(end - begin), z + 16 * begin, T(1 / temperature), grad + 4 * begin, grad_z + 16 * begin);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                         \
  template void logic_layers_forward<T>(const LogicStack<T>&, const Strided<T>&, const char*, int, T*);                             \
  template void logic_layers_backward<T>(const LogicStack<T>&, const Strided<T>&, const Strided<T>&, const char*, int, T*, T*);     \
  template void logic_coefficients_forward<T>(int64_t, const T*, double, const char*, int, T*);                                    \
  template void logic_coefficients_backward<T>(int64_t, const T*, double, const T*, const char*, int, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
