// What the CUDA kernels of the comparator networks share: one block works on one row, its threads on the comparators of a layer.
#pragma once
#include <stdexcept>
#include <string>

#include "sort/comparator.h"
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

struct SortSettings {
  Comparators network;  // in the memory of the device
  const char* relaxation;
  double beta, shape, shift;
  bool straight_through;
};

template <class T>
RelaxationSettings<T> relaxation_settings(const SortSettings& s) {
  return {T(s.beta), T(s.shape), T(s.shift), s.straight_through};
}

constexpr int kMostSortThreads = 512;
constexpr size_t kSharedBytes = 48 * 1024;

inline unsigned sort_threads(int wires) {
  const int wanted = (wires / 2 + 31) / 32 * 32;
  return static_cast<unsigned>(wanted < 32 ? 32 : wanted > kMostSortThreads ? kMostSortThreads : wanted);
}

// Backward, layers are recorded a segment at a time, from the state at its border: memory for the square root of the depth.
struct Segments {
  int count, layers;  // layers of each segment but perhaps the last
};

inline Segments segments_of(int layers) {
  int count = 1;
  while ((count + 1) * (count + 1) * 2 <= layers) ++count;
  const int each = (layers + count - 1) / count;
  return {each ? (layers + each - 1) / each : 1, each};
}

// Calls body(R{}) for the relaxation called `name`.
template <class Body, class... Rs>
void with_relaxation(TypeList<Rs...>, const char* name, const Body& body) {
  const bool found = ((same_name(Rs::name, name) ? (body(Rs{}), true) : false) || ...);
  if (!found) throw std::invalid_argument("relaxation: unknown name '" + std::string(name) + "'");
}

// body(comparator) for this thread's comparators of a layer, and a barrier.
template <class Body>
__device__ void each_comparator(const Comparators& net, int layer, const Body& body) {
  const int end = net.starts[layer + 1];
  for (int k = net.starts[layer] + static_cast<int>(threadIdx.x); k < end; k += static_cast<int>(blockDim.x)) body(k);
  __syncthreads();
}

// to[i] = from[i], and a barrier.
template <class T>
__device__ void copy_together(const T* from, int count, T* to) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) to[i] = from[i];
  __syncthreads();
}

// A comparator's shares at the difference d.
template <class T>
struct Share {
  T move, stay;    // forward
  T soft, weight;  // of the exchange backward, and soft - d slope
  T slope;
};

template <class R, class T>
__device__ Share<T> share_of(T d, const RelaxationSettings<T>& s) {
  const RelaxationParams<T> p = params_of(s);
  const T soft = R::stay(d, p), slope = R::slope(d, p);
  const T stay = s.straight_through ? 1 - hard_move(d) : soft;
  return {1 - stay, stay, 1 - soft, 1 - soft - d * slope, slope};
}

RNDR_NAMESPACE_END
