#include "cuda/sort_values.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <class R, class T>
__global__ void __launch_bounds__(kMostSortThreads)
    forward_kernel(Comparators net, RelaxationSettings<T> s, bool in_shared, const T* x, T* y) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * net.wires;
  T* state = in_shared ? dynamic_shared<T>() : y + at;
  const RelaxationParams<T> p = params_of(s);
  copy_together(x + at, net.wires, state);
  for (int l = 0; l < net.layers; ++l)
    each_comparator(net, l, [&](int k) {
      T &lo = state[net.lo[k]], &hi = state[net.hi[k]];
      const T d = hi - lo, stay = s.straight_through ? 1 - hard_move(d) : R::stay(d, p);
      exchange(1 - stay, stay, lo, hi);
    });
  if (in_shared) copy_together(state, net.wires, y + at);
}

template <class R, class T>
__global__ void __launch_bounds__(kMostSortThreads)
    backward_kernel(Comparators net, RelaxationSettings<T> s, Segments segments, bool in_shared, int batch, const T* x,
                                const T* grad, T* grad_x, T* scratch, int64_t scratch_size) {
  T* state = scratch + blockIdx.x * scratch_size;
  T *borders = state + net.wires, *weights = borders + static_cast<int64_t>(segments.count) * net.wires;
  for (int row = static_cast<int>(blockIdx.x); row < batch; row += static_cast<int>(gridDim.x)) {
    const int64_t at = static_cast<int64_t>(row) * net.wires;
    T* here = in_shared ? dynamic_shared<T>() : state;
    T* g = in_shared ? here + net.wires : grad_x + at;
    copy_together(x + at, net.wires, here);
    copy_together(grad + at, net.wires, g);
    // A layer forward; its weights are kept from comparator `first` on, unless that is negative.
    const auto layer = [&](int l, int first) {
      each_comparator(net, l, [&](int k) {
        T &lo = here[net.lo[k]], &hi = here[net.hi[k]];
        const Share<T> share = share_of<R>(hi - lo, s);
        if (first >= 0) weights[k - first] = share.weight;
        exchange(share.move, share.stay, lo, hi);
      });
    };
    for (int segment = 0; segment + 1 < segments.count; ++segment) {
      copy_together(here, net.wires, borders + static_cast<int64_t>(segment) * net.wires);
      for (int l = segment * segments.layers; l < (segment + 1) * segments.layers; ++l) layer(l, -1);
    }
    for (int segment = segments.count - 1; segment >= 0; --segment) {
      if (segment + 1 < segments.count) copy_together(borders + static_cast<int64_t>(segment) * net.wires, net.wires, here);
      const int begin = segment * segments.layers, end = min_(net.layers, begin + segments.layers);
      const int first = net.starts[begin];
      for (int l = begin; l < end; ++l) layer(l, first);
      for (int l = end - 1; l >= begin; --l)
        each_comparator(net, l, [&](int k) {
          T &lo = g[net.lo[k]], &hi = g[net.hi[k]];
          const T amount = weights[k - first] * (hi - lo);
          lo += amount;
          hi -= amount;
        });
    }
    if (in_shared) copy_together(g, net.wires, grad_x + at);
  }
}

}  // namespace

template <class T>
void sort_values_forward(const SortSettings& s, int batch, const T* x, T* y, cudaStream_t stream) {
  const Comparators& net = s.network;
  const size_t bytes = net.wires * sizeof(T);
  const bool in_shared = bytes <= kSharedBytes;
  const Launch how{dim3(static_cast<unsigned>(batch)), dim3(sort_threads(net.wires)), in_shared ? bytes : 0, stream};
  with_relaxation(Relaxations{}, s.relaxation,
                  [&](auto r) { launch(forward_kernel<decltype(r), T>, how, net, relaxation_settings<T>(s), in_shared, x, y); });
}

int64_t sort_values_scratch(int wires, int layers) {
  const Segments segments = segments_of(layers);
  return static_cast<int64_t>(wires) * (1 + segments.count) + static_cast<int64_t>(segments.layers) * (wires / 2);
}

template <class T>
void sort_values_backward(const SortSettings& s, int batch, const T* x, const T* grad, T* grad_x, T* scratch, int blocks,
                          cudaStream_t stream) {
  const Comparators& net = s.network;
  const size_t bytes = 2 * net.wires * sizeof(T);
  const bool in_shared = bytes <= kSharedBytes;
  const Launch how{dim3(static_cast<unsigned>(blocks)), dim3(sort_threads(net.wires)), in_shared ? bytes : 0, stream};
  with_relaxation(Relaxations{}, s.relaxation, [&](auto r) {
    launch(backward_kernel<decltype(r), T>, how, net, relaxation_settings<T>(s), segments_of(net.layers), in_shared, batch, x, grad, grad_x,
           scratch, sort_values_scratch(net.wires, net.layers));
  });
}

#define RNDR_INSTANTIATE(T)                                                                  \
  template void sort_values_forward<T>(const SortSettings&, int, const T*, T*, cudaStream_t); \
  template void sort_values_backward<T>(const SortSettings&, int, const T*, const T*, T*, T*, int, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
