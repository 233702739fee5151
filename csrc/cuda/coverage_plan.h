// How coverage is computed in one call, from parameters that the host has not seen: formed by one thread, read by all kernels.
#pragma once
#include "cuda/status.h"
#include "raster/coverage.h"
#include "relax/distributions.h"

RNDR_NAMESPACE_BEGIN

struct CoverageSettings {
  const char* distribution;
  const char* t_conorm;  // not read where faces are not aggregated
  bool squared;
  double support_eps;
};

template <class T>
struct CoveragePlan {
  CoverageParams<T> params;
  double inner;   // z above it counts as covered
  double radius;  // of the support outside a face, in pixels
  double reach;   // the same, or that of the inside if it is larger
};

// Launches what forms the plan; parameters: scale, shape, shift, and p or another.
template <class T>
void form_plan(const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan, Status status, cudaStream_t stream);

template <class T>
RNDR_HD DistributionParams<T> distribution_params(const CoverageParams<T>& c) {
  return {T(1) / c.inverse_scale, c.shape, c.shift};
}

RNDR_NAMESPACE_END
