// Compiled once per SIMD level, as cpu/kernels.cpp: the loops of the comparator networks.
#include "cpu/sort_kernels.h"

#include "sort/comparator.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <class R, class T, bool hard>
void values_loop(const Layer& layer, const RelaxationSettings<T>& s, T* x) {
  const RelaxationParams<T> p = params_of(s);
  for (int k = 0; k < layer.count; ++k) {
    T *a = x + layer.lo[k] * kSortLanes, *b = x + layer.hi[k] * kSortLanes;
#pragma omp simd
    for (int i = 0; i < kSortLanes; ++i) {
      const T d = b[i] - a[i];
      const T stay = hard ? 1 - hard_move(d) : R::stay(d, p);
      exchange(1 - stay, stay, a[i], b[i]);
    }
  }
}

template <class R, class T>
void values_kernel(const Layer& layer, const RelaxationSettings<T>& s, T* x) {
  s.straight_through ? values_loop<R, T, true>(layer, s, x) : values_loop<R, T, false>(layer, s, x);
}

template <class R, class T, bool hard>
void values_and_weights_loop(const Layer& layer, const RelaxationSettings<T>& s, T* x, T* weights) {
  const RelaxationParams<T> p = params_of(s);
  for (int k = 0; k < layer.count; ++k) {
    T *a = x + layer.lo[k] * kSortLanes, *b = x + layer.hi[k] * kSortLanes, *w = weights + k * kSortLanes;
#pragma omp simd
    for (int i = 0; i < kSortLanes; ++i) {
      const T d = b[i] - a[i];
      const T soft = R::stay(d, p), stay = hard ? 1 - hard_move(d) : soft;
      w[i] = 1 - soft - d * R::slope(d, p);
      exchange(1 - stay, stay, a[i], b[i]);
    }
  }
}

template <class R, class T>
void values_and_weights_kernel(const Layer& layer, const RelaxationSettings<T>& s, T* x, T* weights) {
  s.straight_through ? values_and_weights_loop<R, T, true>(layer, s, x, weights)
                     : values_and_weights_loop<R, T, false>(layer, s, x, weights);
}

template <class R, class T>
void moves_kernel(int n, const T* d, const RelaxationSettings<T>& s, T* move) {
  const RelaxationParams<T> p = params_of(s);
  if (s.straight_through) {
#pragma omp simd
    for (int i = 0; i < n; ++i) move[i] = hard_move(d[i]);
  } else {
#pragma omp simd
    for (int i = 0; i < n; ++i) move[i] = 1 - R::stay(d[i], p);
  }
}

template <class R, class T>
void shares_kernel(int n, const T* d, const RelaxationSettings<T>& s, const Shares<T>& out) {
  const RelaxationParams<T> p = params_of(s);
  T *soft = out.soft, *weight = out.weight, *slope = out.slope;
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    const T share = 1 - R::stay(d[i], p), steep = R::slope(d[i], p);
    soft[i] = share;
    weight[i] = share - d[i] * steep;
    slope[i] = steep;
  }
  if (!s.straight_through) return;
  T* move = out.move;
#pragma omp simd
  for (int i = 0; i < n; ++i) move[i] = hard_move(d[i]);
}

template <class T>
void row_kernel(const Layer& layer, const T* move, T* x) {
  for (int k = 0; k < layer.count; ++k) exchange(move[k], 1 - move[k], x[layer.lo[k]], x[layer.hi[k]]);
}

template <class T>
void row_backward_kernel(const Layer& layer, const T* weights, T* g) {
  for (int k = 0; k < layer.count; ++k) {
    const T amount = weights[k] * (g[layer.hi[k]] - g[layer.lo[k]]);
    g[layer.lo[k]] += amount;
    g[layer.hi[k]] -= amount;
  }
}

template <class T>
void values_backward_kernel(const Layer& layer, const T* weights, T* g) {
  for (int k = 0; k < layer.count; ++k) {
    T *a = g + layer.lo[k] * kSortLanes, *b = g + layer.hi[k] * kSortLanes;
    const T* w = weights + k * kSortLanes;
#pragma omp simd
    for (int i = 0; i < kSortLanes; ++i) {
      const T amount = w[i] * (b[i] - a[i]);
      a[i] += amount;
      b[i] -= amount;
    }
  }
}

// ---- payload --------------------------------------------------------------------------------------------------

template <class T, int width>
void mix_kernel(const Layer& layer, const T* move, T* payload) {
  for (int k = 0; k < layer.count; ++k) {
    T *a = payload + layer.lo[k] * width, *b = payload + layer.hi[k] * width;
    const T share = move[k];
#pragma omp simd
    for (int c = 0; c < width; ++c) exchange(share, 1 - share, a[c], b[c]);
  }
}

template <class T, int width>
void mix_and_differences_kernel(const Layer& layer, const T* move, T* payload, T* differences) {
  for (int k = 0; k < layer.count; ++k) {
    T *a = payload + layer.lo[k] * width, *b = payload + layer.hi[k] * width, *d = differences + k * width;
    const T share = move[k];
#pragma omp simd
    for (int c = 0; c < width; ++c) {
      d[c] = b[c] - a[c];
      exchange(share, 1 - share, a[c], b[c]);
    }
  }
}

template <class T, int width>
void mix_backward_kernel(const Layer& layer, const T* soft, const T* differences, T* grad, T* products) {
  for (int k = 0; k < layer.count; ++k) {
    T *a = grad + layer.lo[k] * width, *b = grad + layer.hi[k] * width;
    const T* d = differences + k * width;
    const T share = soft[k];
    T sum = T(0);
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < width; ++c) {
      const T s = b[c] - a[c];
      sum += s * d[c];
      const T amount = share * s;
      a[c] += amount;
      b[c] -= amount;
    }
    products[k] += sum;
  }
}

template <class T, int width>
constexpr ColumnKernels<T> column_kernels() {
  return {width, mix_kernel<T, width>, mix_and_differences_kernel<T, width>, mix_backward_kernel<T, width>};
}

template <class T, class... Rs>
SortKernels<T> kernels_of(TypeList<Rs...>) {
  static const RelaxationKernels<T> relaxations[] = {
      {Rs::name, values_kernel<Rs, T>, values_and_weights_kernel<Rs, T>, moves_kernel<Rs, T>, shares_kernel<Rs, T>}...};
  return {sizeof...(Rs),
          relaxations,
          {column_kernels<T, 8>(), column_kernels<T, 16>(), column_kernels<T, 32>()},
          row_kernel<T>,
          row_backward_kernel<T>,
          values_backward_kernel<T>};
}

}  // namespace

template <class T>
SortKernels<T> sort_kernels() {
  return kernels_of<T>(Relaxations{});
}
template SortKernels<float> sort_kernels<float>();
template SortKernels<double> sort_kernels<double>();

RNDR_NAMESPACE_END
