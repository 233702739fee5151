// What the launchers of the comparator networks share: settings, shares of one row, and a backward pass in bounded memory.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "cpu/kernels.h"

namespace rndr {

struct SortSettings {
  Comparators network;
  const char* relaxation;
  double beta, shape, shift;
  bool straight_through;
  const char* level;
  int threads;
};

template <class T>
RelaxationSettings<T> relaxation_settings(const SortSettings& s) {
  return {T(s.beta), T(s.shape), T(s.shift), s.straight_through};
}

inline Layer layer_of(const Comparators& net, int layer) {
  const int first = net.starts[layer];
  return {net.lo + first, net.hi + first, net.starts[layer + 1] - first};
}

// Memory for n numbers that are all written before they are read: clearing it would take as long as much of the work.
template <class T>
class Scratch {
 public:
  explicit Scratch(size_t n) : data_(new T[n]) {}
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  std::unique_ptr<T[]> data_;
};

template <class T>
void gather_differences(const Layer& layer, const T* x, T* d) {
  for (int k = 0; k < layer.count; ++k) d[k] = x[layer.hi[k]] - x[layer.lo[k]];
}

// Layers 0 = cuts[0], ..., cuts[segments] = all. Backward a whole segment is recorded at a time, from the state at its
// border: recording everything would take as much memory as there are comparators, n^2 / 2 in the odd-even network.
inline std::vector<int> segment_cuts(const Comparators& net, size_t bytes_per_comparator) {
  constexpr double budget = 4 << 20;  // bytes: beyond, going forward twice is cheaper than leaving the caches
  const double wanted = std::ceil(net.count * double(bytes_per_comparator) / budget);
  // More borders than the square root of all states would take more memory than they save.
  const double most = std::max(1., std::floor(std::sqrt(double(net.count) / net.wires)));
  const int share = static_cast<int>(std::ceil(net.count / std::max(1., std::min(wanted, most))));
  std::vector<int> cuts{0};
  for (int layer = 1; layer < net.layers; ++layer)
    if (net.starts[layer + 1] - net.starts[cuts.back()] > share) cuts.push_back(layer);
  cuts.push_back(net.layers);
  return cuts;
}

// Forward through all layers and back: run(layer, state) goes forward, record(layer, state, at) does so and writes its record from
// comparator `at` of the segment on, end(state) sees the state after the last layer, and back(layer, at) goes back.
template <class T, class Run, class Record, class End, class Back>
void there_and_back(const Comparators& net, const std::vector<int>& cuts, size_t size, T* state, const Run& run, const Record& record,
                    const End& end, const Back& back) {
  const int segments = static_cast<int>(cuts.size()) - 1;
  Scratch<T> borders(size * (segments - 1));
  for (int s = 0; s + 1 < segments; ++s) {
    std::copy_n(state, size, borders.data() + s * size);
    for (int layer = cuts[s]; layer < cuts[s + 1]; ++layer) run(layer, state);
  }
  for (int s = segments - 1; s >= 0; --s) {
    if (s + 1 < segments) std::copy_n(borders.data() + s * size, size, state);
    const int first = net.starts[cuts[s]];
    for (int layer = cuts[s]; layer < cuts[s + 1]; ++layer) record(layer, state, net.starts[layer] - first);
    if (s + 1 == segments) end(state);
    for (int layer = cuts[s + 1] - 1; layer >= cuts[s]; --layer) back(layer, net.starts[layer] - first);
  }
}

inline int most_comparators(const Comparators& net, const std::vector<int>& cuts) {
  int most = 0;
  for (size_t s = 0; s + 1 < cuts.size(); ++s) most = std::max(most, net.starts[cuts[s + 1]] - net.starts[cuts[s]]);
  return most;
}

}  // namespace rndr
