// The comparator loops of one SIMD level.
//
// Values run with kSortLanes rows side by side, (wire, lane); a payload with a block of columns side by side,
// (wire, column), and its shares computed beforehand, layer by layer. A layer is a range of comparators.
#pragma once
#include "sort/network.h"

namespace rndr {

constexpr int kSortLanes = 16;

struct Layer {
  const int32_t *lo, *hi;
  int count;
};

// Per comparator, what the exchanges and their derivatives need; see sort/comparator.h.
template <class T>
struct Shares {
  T *move;    // of the exchange forward
  T *soft;    // of the exchange backward: the same but for straight-through
  T *weight;  // soft - d slope
  T *slope;
};

template <class T>
struct RelaxationKernels {
  const char* name;
  // A layer of x (wires, kSortLanes) in place; the second one also writes the weights of the backward pass, (count, kSortLanes).
  void (*values)(const Layer&, const RelaxationSettings<T>&, T* x);
  void (*values_and_weights)(const Layer&, const RelaxationSettings<T>&, T* x, T* weights);
  void (*moves)(int n, const T* d, const RelaxationSettings<T>&, T* move);
  void (*shares)(int n, const T* d, const RelaxationSettings<T>&, const Shares<T>&);
};

// Blocks of columns are 8, 16 or 32 wide.
template <class T>
struct ColumnKernels {
  int width;
  // A layer of payload (wires, width) in place; the second one also writes the differences hi - lo before it, (count, width).
  void (*mix)(const Layer&, const T* move, T* payload);
  void (*mix_and_differences)(const Layer&, const T* move, T* payload, T* differences);
  // The gradient through a layer, and products[i] += sum over the columns of (g_hi - g_lo)(hi - lo).
  void (*mix_backward)(const Layer&, const T* soft, const T* differences, T* grad, T* products);
};

template <class T>
struct SortKernels {
  int relaxation_count;
  const RelaxationKernels<T>* relaxations;
  ColumnKernels<T> columns[3];
  // x (wires) through a layer, and backward: x += weights (hi - lo), without the change of places.
  void (*row)(const Layer&, const T* move, T* x);
  void (*row_backward)(const Layer&, const T* weights, T* g);
  // g (wires, kSortLanes) back through a layer.
  void (*values_backward)(const Layer&, const T* weights, T* g);
};

}  // namespace rndr
