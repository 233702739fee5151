// Dense layers of relaxed logic gates, forward and backward, tile by tile of the samples.
#pragma once
#include <cstdint>

namespace rndr {

// A batch of matrices (batch, rows, columns) with any strides: features or gradients, column = sample.
template <class T>
struct Strided {
  const T* data;
  int64_t batch_stride, row_stride, column_stride;
};

// `layers` layers of `widths` neurons one after the other. a, b: the two inputs of every neuron, indices into the layer
// before; coefficients: (neurons, 4). groups > 0: the outputs are the sums of that many equal parts of the last layer.
template <class T>
struct LogicStack {
  int batch, inputs, columns, layers, groups;
  const int64_t* widths;
  const int32_t *a, *b;
  const T* coefficients;
};

// y: (batch, last width or groups, columns). Throws std::invalid_argument for an index that is not in the layer before.
template <class T>
void logic_layers_forward(const LogicStack<T>& stack, const Strided<T>& x, const char* level, int threads, T* y);

// Writes grad_x (batch, inputs, columns) and grad_coefficients (batch, neurons, 4). Nothing is kept from the forward pass: it is
// run again, tile by tile, while the tile is in the cache.
template <class T>
void logic_layers_backward(const LogicStack<T>& stack, const Strided<T>& x, const Strided<T>& grad_y, const char* level, int threads,
                           T* grad_x, T* grad_coefficients);

// Logits z (n, 16) to coefficients (n, 4) of softmax(z / temperature), and the gradient back.
template <class T>
void logic_coefficients_forward(int64_t n, const T* z, double temperature, const char* level, int threads, T* coefficients);
template <class T>
void logic_coefficients_backward(int64_t n, const T* z, double temperature, const T* grad, const char* level, int threads, T* grad_z);

}  // namespace rndr
