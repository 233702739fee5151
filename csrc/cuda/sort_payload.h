// Rows that move as a relaxed comparator network moves its keys: cpu/sort_payload.h on the GPU.
#pragma once
#include "cuda/sort_network.h"

RNDR_NAMESPACE_BEGIN

// How many arrays of one number a comparator the shares of a row are: forward only `move`, backward all.
constexpr int kForwardShares = 1, kBackwardShares = 4;

// The shares of every comparator, (batch, arrays, comparators): move; then soft, weight and slope.
// state: (batch, wires) of scratch.
template <class T>
void sort_shares(const SortSettings& settings, int batch, const T* x, bool backward, T* state, T* shares, cudaStream_t stream);

// payload, out: (batch, wires, columns); shares: as sort_shares leaves them forward.
template <class T>
void sort_payload_forward(const SortSettings& settings, int batch, const T* shares, const T* payload, int columns, bool transposed,
                          T* out, cudaStream_t stream);

// Numbers of scratch a row needs backward.
int64_t sort_payload_scratch(int wires, int layers, int comparators);

// As on the CPU; shares: as sort_shares leaves them backward; scratch: (batch, sort_payload_scratch).
template <class T>
void sort_payload_backward(const SortSettings& settings, int batch, const T* shares, const T* payload, const T* grad, int columns,
                           T* grad_x, T* moved, T* shared, T* scratch, cudaStream_t stream);

RNDR_NAMESPACE_END
