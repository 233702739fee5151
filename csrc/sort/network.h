// A comparator network and what relaxes it, as CPU and CUDA kernels take them.
#pragma once
#include <cstdint>

namespace rndr {

// The comparators of a network, layer by layer; in a layer by ascending lower wire. Made by renderer/sort/networks.py.
struct Comparators {
  int wires, layers, count;
  const int32_t *starts;   // layers + 1: where each layer begins
  const int32_t *lo, *hi;  // count: wires
  const int32_t *reach;    // count: the highest wire of this and all earlier comparators of the layer
};

template <class T>
struct RelaxationSettings {
  T beta, shape, shift;
  bool straight_through;  // values of the hard comparator, gradients of the relaxed one
};

}  // namespace rndr
