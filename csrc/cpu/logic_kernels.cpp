// Compiled once per SIMD level, as cpu/kernels.cpp: training loops of the logic layers.

#include "cpu/kernels.h"
#include "logic/gates.h"

RNDR_NAMESPACE_BEGIN
namespace {

// 64 bytes of numbers, whatever the level makes of them. The sums below are kept in it, because g++ adds up the lanes of a
// `reduction` one after the other, which costs more than the loop.
template <class T>
struct Lanes {
  static constexpr int count = 64 / sizeof(T);
  typedef T type __attribute__((vector_size(64)));
  typedef T unaligned __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
  typedef T four __attribute__((vector_size(4 * sizeof(T))));
  typedef T unaligned_four __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));
};

// Four sums, each of every fourth lane.
RNDR_HD Lanes<float>::four fold(const Lanes<float>::type& v) {
  const auto half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(half, half, 0, 1, 2, 3) + __builtin_shufflevector(half, half, 4, 5, 6, 7);
}
RNDR_HD Lanes<double>::four fold(const Lanes<double>::type& v) {
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
}

// The sums of the lanes of four vectors, side by side: cheaper than one sum after the other.
template <class T, class V = typename Lanes<T>::type, class Four = typename Lanes<T>::four>
RNDR_HD Four add_lanes(const V& s0, const V& s1, const V& s2, const V& s3) {
  const Four f0 = fold(s0), f1 = fold(s1), f2 = fold(s2), f3 = fold(s3);
  const Four u = __builtin_shufflevector(f0, f1, 0, 4, 1, 5) + __builtin_shufflevector(f0, f1, 2, 6, 3, 7);
  const Four v = __builtin_shufflevector(f2, f3, 0, 4, 1, 5) + __builtin_shufflevector(f2, f3, 2, 6, 3, 7);
  return __builtin_shufflevector(u, v, 0, 1, 4, 5) + __builtin_shufflevector(u, v, 2, 3, 6, 7);
}

// The rows that a neuron reads lie anywhere in a layer: fetched this many neurons ahead, they arrive in time.
constexpr int kAhead = 4;

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
  using V = typename Lanes<T>::type;
  using Memory = typename Lanes<T>::unaligned;
  for (int i = 0; i < layer.n; ++i) {
    if (i + kAhead < layer.n) {
      const size_t next_a = static_cast<size_t>(layer.a[i + kAhead]) * tile, next_b = static_cast<size_t>(layer.b[i + kAhead]) * tile;
      for (int j = 0; j < tile; j += Lanes<T>::count) {
        __builtin_prefetch(x + next_a + j), __builtin_prefetch(x + next_b + j);
        __builtin_prefetch(grad_x + next_a + j, 1), __builtin_prefetch(grad_x + next_b + j, 1);
      }
    }
    const size_t at_a = static_cast<size_t>(layer.a[i]) * tile, at_b = static_cast<size_t>(layer.b[i]) * tile;
    V c[kCoefficients];
    for (int k = 0; k < kCoefficients; ++k) c[k] = layer.c[4 * i + k] - V{};
    V s0 = {}, sa = {}, sb = {}, sab = {};
    for (int j = 0; j < tile; j += Lanes<T>::count) {
      const V a = *reinterpret_cast<const Memory*>(x + at_a + j), b = *reinterpret_cast<const Memory*>(x + at_b + j);
      const V g = *reinterpret_cast<const Memory*>(grad_y + static_cast<size_t>(i) * tile + j), ga = g * a;
      s0 += g, sa += ga, sb += g * b, sab += ga * b;
      // One after the other: both may be the same signal.
      *reinterpret_cast<Memory*>(grad_x + at_a + j) += g * gate_da(c, b);
      *reinterpret_cast<Memory*>(grad_x + at_b + j) += g * gate_db(c, a);
    }
    *reinterpret_cast<typename Lanes<T>::unaligned_four*>(grad_c + static_cast<size_t>(4) * i) += add_lanes<T>(s0, sa, sb, sab);
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

template <class T>
void sum_kernel(int tile, int64_t groups, int64_t n, const T* x, T* sums) {
  constexpr int64_t part = 32;  // sums of sums: the rounding error grows with their number, not with n
  for (int64_t g = 0; g < groups; ++g) {
    T* out = sums + g * tile;
    for (int j = 0; j < tile; ++j) out[j] = T(0);
    for (int64_t first = 0; first < n; first += part) {
      T partial[64] = {};
      for (int64_t i = first; i < n && i < first + part; ++i, x += tile) {
#pragma omp simd
        for (int j = 0; j < tile; ++j) partial[j] += x[j];
      }
#pragma omp simd
      for (int j = 0; j < tile; ++j) out[j] += partial[j];
    }
  }
}

template <class T>
void spread_kernel(int tile, int64_t groups, int64_t n, const T* grad_sums, T* grad_x) {
  for (int64_t g = 0; g < groups; ++g, grad_sums += tile) {
    for (int64_t i = 0; i < n; ++i, grad_x += tile) {
#pragma omp simd
      for (int j = 0; j < tile; ++j) grad_x[j] = grad_sums[j];
    }
  }
}

// Neurons that go through the softmax side by side, one vector lane each.
constexpr int kSideBySide = 16;

// exp of the logits of some neurons relative to each one's largest, as [gate][neuron]; neurons that do not exist get 0 logits.
template <class T>
void shifted_exponentials(int count, const T* z, T inverse_temperature, T e[kGates][kSideBySide]) {
  for (int k = 0; k < kSideBySide; ++k)
    for (int i = 0; i < kGates; ++i) e[i][k] = k < count ? z[k * kGates + i] : T(0);
  T top[kSideBySide];
#pragma omp simd
  for (int k = 0; k < kSideBySide; ++k) top[k] = e[0][k];
  for (int i = 1; i < kGates; ++i) {
#pragma omp simd
    for (int k = 0; k < kSideBySide; ++k) top[k] = max_(top[k], e[i][k]);
  }
  for (int i = 0; i < kGates; ++i) {
#pragma omp simd
    for (int k = 0; k < kSideBySide; ++k) e[i][k] = exp_((e[i][k] - top[k]) * inverse_temperature);
  }
}

// Corner probabilities of the neurons, [corner][neuron], and the inverse sums of e.
template <class T>
void corner_probabilities(const T e[kGates][kSideBySide], T w[4][kSideBySide], T inverse[kSideBySide]) {
  T sum[kSideBySide] = {};
  for (int corner = 0; corner < 4; ++corner)
    for (int k = 0; k < kSideBySide; ++k) w[corner][k] = T(0);
  for (int i = 0; i < kGates; ++i) {
#pragma omp simd
    for (int k = 0; k < kSideBySide; ++k) sum[k] += e[i][k];
    for (int corner = 0; corner < 4; ++corner) {
      if (!gate_output(i, corner)) continue;
#pragma omp simd
      for (int k = 0; k < kSideBySide; ++k) w[corner][k] += e[i][k];
    }
  }
#pragma omp simd
  for (int k = 0; k < kSideBySide; ++k) inverse[k] = T(1) / sum[k];
  for (int corner = 0; corner < 4; ++corner) {
#pragma omp simd
    for (int k = 0; k < kSideBySide; ++k) w[corner][k] *= inverse[k];
  }
}

template <class T>
void coefficients_kernel(int n, const T* z, T inverse_temperature, T* c) {
  for (int first = 0; first < n; first += kSideBySide) {
    const int count = n - first < kSideBySide ? n - first : kSideBySide;
    T e[kGates][kSideBySide], w[4][kSideBySide], inverse[kSideBySide];
    shifted_exponentials(count, z + static_cast<size_t>(first) * kGates, inverse_temperature, e);
    corner_probabilities(e, w, inverse);
    for (int k = 0; k < count; ++k) {
      const T corners[4] = {w[0][k], w[1][k], w[2][k], w[3][k]};
      corners_to_coefficients(corners, c + static_cast<size_t>(first + k) * kCoefficients);
    }
  }
}

template <class T>
void coefficients_gradient_kernel(int n, const T* z, T inverse_temperature, const T* grad_c, T* grad_z) {
  for (int first = 0; first < n; first += kSideBySide) {
    const int count = n - first < kSideBySide ? n - first : kSideBySide;
    T e[kGates][kSideBySide], w[4][kSideBySide], inverse[kSideBySide], grad_w[4][kSideBySide] = {}, mean[kSideBySide];
    shifted_exponentials(count, z + static_cast<size_t>(first) * kGates, inverse_temperature, e);
    corner_probabilities(e, w, inverse);
    for (int k = 0; k < count; ++k) {
      T corners[4];
      corners_to_coefficients_gradient(grad_c + static_cast<size_t>(first + k) * kCoefficients, corners);
      for (int corner = 0; corner < 4; ++corner) grad_w[corner][k] = corners[corner];
    }
#pragma omp simd
    for (int k = 0; k < kSideBySide; ++k)
      mean[k] = w[0][k] * grad_w[0][k] + w[1][k] * grad_w[1][k] + w[2][k] * grad_w[2][k] + w[3][k] * grad_w[3][k];
    for (int i = 0; i < kGates; ++i) {
#pragma omp simd
      for (int k = 0; k < kSideBySide; ++k) {
        const T corners[4] = {grad_w[0][k], grad_w[1][k], grad_w[2][k], grad_w[3][k]};
        e[i][k] = softmax_gradient(i, e[i][k] * inverse[k], corners, mean[k], inverse_temperature);
      }
    }
    T* out = grad_z + static_cast<size_t>(first) * kGates;
    for (int k = 0; k < count; ++k)
      for (int i = 0; i < kGates; ++i) out[k * kGates + i] = e[i][k];
  }
}

}  // namespace

template <class T>
LogicKernels<T> logic_kernels() {
  return {forward_kernel<T>, backward_kernel<T>, sum_kernel<T>, spread_kernel<T>, coefficients_kernel<T>, coefficients_gradient_kernel<T>};
}
template LogicKernels<float> logic_kernels<float>();
template LogicKernels<double> logic_kernels<double>();

RNDR_NAMESPACE_END
