// Compiled once per SIMD level, as cpu/kernels.cpp: training loops of the logic layers.
#include <type_traits>

#include "cpu/kernels.h"
#include "logic/gates.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <int tile, class T>
void forward_tile(const LogicLayerView<T>& layer, const T* x, T* y) {
  for (int i = 0; i < layer.n; ++i) {
    const T* a = x + static_cast<size_t>(layer.a[i]) * tile;
    const T* b = x + static_cast<size_t>(layer.b[i]) * tile;
    const T c[kCoefficients] = {layer.c[4 * i], layer.c[4 * i + 1], layer.c[4 * i + 2], layer.c[4 * i + 3]};
    T* out = y + static_cast<size_t>(i) * tile;
#pragma omp simd
    for (int j = 0; j < tile; ++j) out[j] = gate_value(c, a[j], b[j]);
  }
}

template <int tile, class T>
void backward_tile(const LogicLayerView<T>& layer, const T* x, const T* grad_y, T* grad_x, T* grad_c) {
  for (int i = 0; i < layer.n; ++i) {
    const size_t at_a = static_cast<size_t>(layer.a[i]) * tile, at_b = static_cast<size_t>(layer.b[i]) * tile;
    const T *a = x + at_a, *b = x + at_b, *g = grad_y + static_cast<size_t>(i) * tile;
    const T c[kCoefficients] = {layer.c[4 * i], layer.c[4 * i + 1], layer.c[4 * i + 2], layer.c[4 * i + 3]};
    T *grad_a = grad_x + at_a, *grad_b = grad_x + at_b;
    T s0 = T(0), sa = T(0), sb = T(0), sab = T(0);
    if (at_a == at_b) {  // both inputs of the neuron are the same signal, and both derivatives belong to it
#pragma omp simd reduction(+ : s0, sa, sab)
      for (int j = 0; j < tile; ++j) {
        const T ga = g[j] * a[j];
        s0 += g[j], sa += ga, sab += ga * a[j];
        grad_a[j] += g[j] * (gate_da(c, a[j]) + gate_db(c, a[j]));
      }
      sb = sa;
    } else {
#pragma omp simd reduction(+ : s0, sa, sb, sab)
      for (int j = 0; j < tile; ++j) {
        const T ga = g[j] * a[j];
        s0 += g[j], sa += ga, sb += g[j] * b[j], sab += ga * b[j];
        grad_a[j] += g[j] * gate_da(c, b[j]);
        grad_b[j] += g[j] * gate_db(c, a[j]);
      }
    }
    T* out = grad_c + static_cast<size_t>(4) * i;
    out[0] += s0, out[1] += sa, out[2] += sb, out[3] += sab;
  }
}

template <class T>
void forward_kernel(int tile, const LogicLayerView<T>& layer, const T* x, T* y) {
  tile == 64 ? forward_tile<64>(layer, x, y) : tile == 32 ? forward_tile<32>(layer, x, y) : forward_tile<16>(layer, x, y);
}

template <class T>
void backward_kernel(int tile, const LogicLayerView<T>& layer, const T* x, const T* grad_y, T* grad_x, T* grad_c) {
  tile == 64   ? backward_tile<64>(layer, x, grad_y, grad_x, grad_c)
  : tile == 32 ? backward_tile<32>(layer, x, grad_y, grad_x, grad_c)
               : backward_tile<16>(layer, x, grad_y, grad_x, grad_c);
}

// exp of one neuron's logits relative to the largest.
template <class T>
void shifted_exponentials(const T* z, T inverse_temperature, T e[kGates]) {
  T top = z[0];
#pragma omp simd reduction(max : top)
  for (int i = 1; i < kGates; ++i) top = max_(top, z[i]);
#pragma omp simd
  for (int i = 0; i < kGates; ++i) e[i] = exp_((z[i] - top) * inverse_temperature);
}

template <class T>
void coefficients_kernel(int n, const T* z, T inverse_temperature, T* c) {
  for (int k = 0; k < n; ++k) {
    T e[kGates], w[4];
    shifted_exponentials(z + static_cast<size_t>(k) * kGates, inverse_temperature, e);
    corner_probabilities(e, w);
    corners_to_coefficients(w, c + static_cast<size_t>(k) * 4);
  }
}

template <class T>
void coefficients_gradient_kernel(int n, const T* z, T inverse_temperature, const T* grad_c, T* grad_z) {
  for (int k = 0; k < n; ++k) {
    const size_t at = static_cast<size_t>(k) * kGates;
    T e[kGates], w[4], grad_w[4];
    shifted_exponentials(z + at, inverse_temperature, e);
    const T inverse = corner_probabilities(e, w);
    corners_to_coefficients_gradient(grad_c + static_cast<size_t>(k) * 4, grad_w);
    const T mean = w[0] * grad_w[0] + w[1] * grad_w[1] + w[2] * grad_w[2] + w[3] * grad_w[3];
#pragma omp simd
    for (int i = 0; i < kGates; ++i) grad_z[at + i] = softmax_gradient(i, e[i] * inverse, grad_w, mean, inverse_temperature);
  }
}

}  // namespace

template <class T>
LogicKernels<T> logic_kernels() {
  return {forward_kernel<T>, backward_kernel<T>, coefficients_kernel<T>, coefficients_gradient_kernel<T>};
}
template LogicKernels<float> logic_kernels<float>();
template LogicKernels<double> logic_kernels<double>();

RNDR_NAMESPACE_END
