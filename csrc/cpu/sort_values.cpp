#include "cpu/sort_values.h"

#include "support/parallel.h"

namespace rndr {
namespace {

// Fewer rows than this go one by one, their layers being gathered into buffers: that costs a row a third of a block.
constexpr int kFewRows = 4;

// (rows, wires) <-> (wires, kSortLanes); lanes without a row repeat the first one.
template <class T>
void to_lanes(const T* x, int rows, int wires, T* lanes) {
  for (int i = 0; i < kSortLanes; ++i) {
    const T* row = x + static_cast<size_t>(i < rows ? i : 0) * wires;
    for (int w = 0; w < wires; ++w) lanes[w * kSortLanes + i] = row[w];
  }
}
template <class T>
void from_lanes(const T* lanes, int rows, int wires, T* x) {
  for (int i = 0; i < rows; ++i)
    for (int w = 0; w < wires; ++w) x[static_cast<size_t>(i) * wires + w] = lanes[w * kSortLanes + i];
}

// body(first row, rows): blocks of lanes, the last of which may be incomplete.
template <class Body>
void parallel_blocks(int batch, int threads, const Body& body) {
  parallel_items((batch + kSortLanes - 1) / kSortLanes, threads,
                 [&](int i) { body(i * kSortLanes, std::min(kSortLanes, batch - i * kSortLanes)); });
}

template <class T>
struct Run {
  const Comparators& net;
  const RelaxationKernels<T>& relaxation;
  const RelaxationSettings<T> settings;
  const SortKernels<T>& kernels;

  explicit Run(const SortSettings& s)
      : net(s.network),
        relaxation(find_relaxation<T>(simd_level(s.level), s.relaxation)),
        settings(relaxation_settings<T>(s)),
        kernels(table<T>(simd_level(s.level)).sort) {}

  void row_layer(const Layer& layer, T* x, T* buffer) const {
    gather_differences(layer, x, buffer);
    relaxation.moves(layer.count, buffer, settings, buffer);
    kernels.row(layer, buffer, x);
  }
};

}  // namespace

template <class T>
void sort_values_forward(const SortSettings& s, int batch, const T* x, T* y) {
  const Run<T> run(s);
  const int n = run.net.wires;
  parallel_blocks(batch, s.threads, [&](int first, int rows) {
    const T* in = x + static_cast<size_t>(first) * n;
    T* out = y + static_cast<size_t>(first) * n;
    if (rows < kFewRows) {
      Scratch<T> buffer(n);
      std::copy_n(in, static_cast<size_t>(rows) * n, out);
      for (int r = 0; r < rows; ++r)
        for (int l = 0; l < run.net.layers; ++l) run.row_layer(layer_of(run.net, l), out + static_cast<size_t>(r) * n, buffer.data());
      return;
    }
    Scratch<T> lanes(static_cast<size_t>(n) * kSortLanes);
    to_lanes(in, rows, n, lanes.data());
    for (int l = 0; l < run.net.layers; ++l) run.relaxation.values(layer_of(run.net, l), run.settings, lanes.data());
    from_lanes(lanes.data(), rows, n, out);
  });
}

template <class T>
void sort_values_backward(const SortSettings& s, int batch, const T* x, const T* grad, T* grad_x) {
  const Run<T> run(s);
  const Comparators& net = run.net;
  const size_t n = net.wires;
  const auto lane_cuts = segment_cuts(net, kSortLanes * sizeof(T)), row_cuts = segment_cuts(net, sizeof(T));
  parallel_blocks(batch, s.threads, [&](int first, int rows) {
    const size_t at = first * n;
    if (rows < kFewRows) {
      Scratch<T> state(n), buffer(4 * n), weights(most_comparators(net, row_cuts));
      const Shares<T> shares{buffer.data(), buffer.data() + n, nullptr, buffer.data() + 3 * n};
      T* d = buffer.data() + 2 * n;
      for (int r = 0; r < rows; ++r) {
        T* g = grad_x + at + r * n;
        std::copy_n(x + at + r * n, n, state.data());
        std::copy_n(grad + at + r * n, n, g);
        there_and_back(
            net, row_cuts, n, state.data(), [&](int l, T* row) { run.row_layer(layer_of(net, l), row, d); },
            [&](int l, T* row, int k) {
              const Layer layer = layer_of(net, l);
              Shares<T> here = shares;
              here.weight = weights.data() + k;
              gather_differences(layer, row, d);
              run.relaxation.shares(layer.count, d, run.settings, here);
              run.kernels.row(layer, s.straight_through ? here.move : here.soft, row);
            },
            [](T*) {}, [&](int l, int k) { run.kernels.row_backward(layer_of(net, l), weights.data() + k, g); });
      }
      return;
    }
    const size_t size = n * kSortLanes;
    Scratch<T> lanes(size), g(size), weights(static_cast<size_t>(most_comparators(net, lane_cuts)) * kSortLanes);
    to_lanes(x + at, rows, net.wires, lanes.data());
    to_lanes(grad + at, rows, net.wires, g.data());
    there_and_back(
        net, lane_cuts, size, lanes.data(),
        [&](int l, T* state) { run.relaxation.values(layer_of(net, l), run.settings, state); },
        [&](int l, T* state, int k) {
          run.relaxation.values_and_weights(layer_of(net, l), run.settings, state, weights.data() + k * kSortLanes);
        },
        [](T*) {}, [&](int l, int k) { run.kernels.values_backward(layer_of(net, l), weights.data() + k * kSortLanes, g.data()); });
    from_lanes(g.data(), rows, net.wires, grad_x + at);
  });
}

#define RNDR_INSTANTIATE(T)                                                      \
  template void sort_values_forward<T>(const SortSettings&, int, const T*, T*);  \
  template void sort_values_backward<T>(const SortSettings&, int, const T*, const T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
