// Layers of relaxed logic gates on the GPU, one at a time: cpu/logic_layers.h. Samples lie side by side, (batch, features, columns).
#pragma once
#include "cuda/status.h"
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct LogicLayerOnDevice {
  int layer, batch, inputs, neurons, columns;  // layer: for messages
  const int32_t *a, *b;
  const T* coefficients;
};

// Who reads a feature: places 2 * neuron (as a) or 2 * neuron + 1 (as b), those of feature f from start[f] up to start[f + 1].
struct LogicReaders {
  const int64_t *reader, *start;
};

template <class T>
void logic_layer_forward(const LogicLayerOnDevice<T>& layer, const T* x, T* y, Status status, cudaStream_t stream);

// Writes grad_x (batch, inputs, columns) and grad_coefficients (batch, neurons, 4). Every sum has a fixed order.
template <class T>
void logic_layer_backward(const LogicLayerOnDevice<T>& layer, const T* x, const LogicReaders& readers, const T* grad, T* grad_x,
                          T* grad_coefficients, cudaStream_t stream);

template <class T>
void logic_coefficients_forward(int neurons, const T* z, T inverse_temperature, T* coefficients, cudaStream_t stream);
template <class T>
void logic_coefficients_backward(int neurons, const T* z, T inverse_temperature, const T* grad, T* grad_z, cudaStream_t stream);

RNDR_NAMESPACE_END
