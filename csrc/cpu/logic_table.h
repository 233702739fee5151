// The logic kernels of one SIMD level: see cpu/kernels.h.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rndr {

// Samples of a tile lie side by side: [neuron][tile]. Tiles have one of these sizes, so that loops have no remainder.
constexpr int kLogicTiles[] = {16, 32, 64};

// n neurons of a layer: neuron i reads rows a[i] and b[i] of the layer before, and mixes its gates to c[4 i ...].
template <class T>
struct LogicLayerView {
  int n;
  const int32_t *a, *b;
  const T* c;
};

template <class T>
struct LogicKernels {
  void (*forward)(int tile, const LogicLayerView<T>&, const T* x, T* y);
  // Adds to grad_x and grad_c.
  void (*backward)(int tile, const LogicLayerView<T>&, const T* x, const T* grad_y, T* grad_x, T* grad_c);
  // Sums of `groups` parts of n rows each, and the reverse: every row of a part gets its gradient.
  void (*sum)(int tile, int64_t groups, int64_t n, const T* x, T* sums);
  void (*spread)(int tile, int64_t groups, int64_t n, const T* grad_sums, T* grad_x);
  // Logits z (n, 16) to coefficients (n, 4), and back.
  void (*coefficients)(int n, const T* z, T inverse_temperature, T* c);
  void (*coefficients_gradient)(int n, const T* z, T inverse_temperature, const T* grad_c, T* grad_z);
};

// Bit-packed execution. A slot holds one signal of a block of 64 * words samples; slot s starts at word s * words.
struct BitRun {
  int32_t gate;    // a BitGate
  int32_t out;     // slot of the first result; the others follow
  int32_t count;   // gates in this run
  int32_t offset;  // of the first operand in a and b
};

// Words a slot may have.
constexpr int kSlotWords[] = {1, 2, 4, 8};

struct BitKernels {
  // rows: how many of the block's samples there are (the bits of the others are 0); each is `inputs` bytes, 0 or 1.
  void (*pack)(int words, const uint8_t* x, size_t row_stride, int rows, int inputs, uint64_t* slots);
  void (*run)(int words, const BitRun* runs, int count, const int32_t* a, const int32_t* b, uint64_t* slots);
  // counts[s * stride] = set bits of sample s among the slots of `plain`, and unset ones among those of `inverted`.
  void (*sum)(int words, const int32_t* plain, int plain_count, const int32_t* inverted, int inverted_count, const uint64_t* slots,
              int rows, int64_t offset, int32_t* counts, int stride);
};

}  // namespace rndr
