// Values through a relaxed comparator network.
#pragma once
#include "cpu/sort_network.h"

namespace rndr {

// x, y: (batch, wires).
template <class T>
void sort_values_forward(const SortSettings& settings, int batch, const T* x, T* y);

// grad: of y. Recomputes from x.
template <class T>
void sort_values_backward(const SortSettings& settings, int batch, const T* x, const T* grad, T* grad_x);

}  // namespace rndr
