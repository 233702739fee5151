// Rows that move as a relaxed comparator network moves its keys; with unit rows, the matrix P of the network.
#pragma once
#include "cpu/sort_network.h"

namespace rndr {

// x: (batch, wires); payload, out: (batch, wires, columns). out = P^T payload, or P payload if `transposed`.
template <class T>
void sort_payload_forward(const SortSettings& settings, int batch, const T* x, const T* payload, int columns, bool transposed, T* out);

// The gradient of <grad, P^T payload> in x, (batch, wires); where not null, moved = P^T payload and shared = P grad, too.
template <class T>
void sort_payload_backward(const SortSettings& settings, int batch, const T* x, const T* payload, const T* grad, int columns, T* grad_x,
                           T* moved, T* shared);

// Rows first ... first + count - 1 of P: (batch, count, wires).
template <class T>
void sort_matrix_forward(const SortSettings& settings, int batch, const T* x, int first, int count, T* matrix);

// grad: of these rows.
template <class T>
void sort_matrix_backward(const SortSettings& settings, int batch, const T* x, int first, int count, const T* grad, T* grad_x);

}  // namespace rndr
