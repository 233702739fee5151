// How coverage is computed in one call: the caller's settings, the kernels they name, and the support that follows from them.
#pragma once
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "cpu/kernels.h"

namespace rndr {

struct CoverageSettings {
  const char* distribution;
  const char* t_conorm;  // not read where faces are not aggregated
  const char* level;     // SIMD level, "" for the best
  bool squared;
  double support_eps;
  int threads;
};

template <class T>
struct CoveragePlan {
  const Level& level;
  const GeometryKernels<T>& geometry;
  const DistributionKernels<T>& distribution;
  CoverageParams<T> params;
  double outer, inner;  // z below -outer counts as uncovered, above inner as covered
  double radius;        // outer in pixels

  // parameters: scale, shape, shift.
  CoveragePlan(const T* parameters, const CoverageSettings& s)
      : level(simd_level(s.level)), geometry(table<T>(level).geometry), distribution(find_distribution<T>(level, s.distribution)) {
    const double scale = parameters[0];
    if (!(scale > 0) || !std::isfinite(scale))
      throw std::invalid_argument("distribution: scale must be positive and finite, got " + std::to_string(scale));
    if (distribution.has_shape && (!(parameters[1] > 0) || !std::isfinite(parameters[1])))
      throw std::invalid_argument("distribution: shape must be positive and finite, got " + std::to_string(parameters[1]));
    if (!std::isfinite(parameters[2]))
      throw std::invalid_argument("distribution: shift must be finite, got " + std::to_string(parameters[2]));
    if (!(s.support_eps > 0 && s.support_eps < 0.5))
      throw std::invalid_argument("distribution: support_eps must lie in (0, 0.5), got " + std::to_string(s.support_eps));
    outer = distribution.outer(s.support_eps, parameters[1], parameters[2]);
    inner = distribution.inner(s.support_eps, parameters[1], parameters[2]);
    params = {T(1 / scale), parameters[1], parameters[2], T(0), T(-outer), s.squared};
    radius = in_pixels(outer);
  }

  double in_pixels(double z) const { return radius_of(z, params.squared, params.inverse_scale); }
};

// Views share out the threads when there are enough of them; otherwise the parts of a view do.
struct ThreadSplit {
  int views, inside;
  ThreadSplit(int batch, int threads) : views(batch >= threads ? threads : 1), inside(batch >= threads ? 1 : threads) {}
};

}  // namespace rndr
