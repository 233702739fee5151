// Soft coverage by every face, aggregated by a T-conorm: the published definition.
#pragma once
#include "cpu/screen.h"

namespace rndr {

// How coverage is computed, as the caller names it.
struct CoverageSettings {
  const char* distribution;
  const char* t_conorm;
  const char* level;  // SIMD level, "" for the best
  bool squared;
  double support_eps;
  int threads;
};

// Views share out the threads when there are enough of them; otherwise the parts of a view do.
struct ThreadSplit {
  int views, inside;
  ThreadSplit(int batch, int threads) : views(batch >= threads ? threads : 1), inside(batch >= threads ? 1 : threads) {}
};

// parameters: scale, shape, shift, p. state, ties, value: (B, H, W); ties only for T-conorms that count them, else null.
template <class T>
void face_coverage_forward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, T* state, T* ties,
                           T* value);

// Throws std::invalid_argument for what no kernel can use.
template <class T>
void check_parameters(const T* parameters, const CoverageSettings& settings) {
  if (!(parameters[0] > 0) || !std::isfinite(parameters[0]))
    throw std::invalid_argument("distribution: scale must be positive and finite, got " + std::to_string(parameters[0]));
  if (!(settings.support_eps > 0 && settings.support_eps < 0.5))
    throw std::invalid_argument("distribution: support_eps must lie in (0, 0.5), got " + std::to_string(settings.support_eps));
}

// grad: (B, H, W). Writes grad_vertices (B, V, 3; depth gets 0) and grad_parameters (B, 4).
template <class T>
void face_coverage_backward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, const T* state,
                            const T* ties, const T* grad, T* grad_vertices, T* grad_parameters);

// Pixels within the support of each face, summed over faces and views: the unit of work of the benchmarks.
template <class T>
long long covered_pairs(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings);

}  // namespace rndr
