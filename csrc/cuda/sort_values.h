// Values through a relaxed comparator network: cpu/sort_values.h on the GPU.
#pragma once
#include "cuda/sort_network.h"

RNDR_NAMESPACE_BEGIN

// x, y: (batch, wires).
template <class T>
void sort_values_forward(const SortSettings& settings, int batch, const T* x, T* y, cudaStream_t stream);

// Numbers that each of the `blocks` blocks of the backward pass needs.
int64_t sort_values_scratch(int wires, int layers);

// grad: of y. Recomputes from x; scratch: (blocks, sort_values_scratch).
template <class T>
void sort_values_backward(const SortSettings& settings, int batch, const T* x, const T* grad, T* grad_x, T* scratch, int blocks,
                          cudaStream_t stream);

RNDR_NAMESPACE_END
