// How coverage is computed in one call, from parameters that the host has not seen: formed by one thread, read by all kernels.
#pragma once
#include <stdexcept>
#include <string>

#include "cuda/status.h"
#include "raster/coverage.h"
#include "relax/distributions.h"
#include "relax/t_conorms.h"

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

// parameters: scale, shape, shift, and p or another.
template <class D, class T>
__global__ void plan_kernel(const T* parameters, bool squared, double support_eps, CoveragePlan<T>* plan, Status status) {
  const double scale = parameters[0];
  CoveragePlan<T> p;
  if (scale > 0 && scale < infinity_<double>()) {
    const DistributionParams<double> d{1.0, parameters[1], parameters[2]};
    const double outer = D::outer(support_eps, d);
    p.params = {T(1 / scale), parameters[1], parameters[2], parameters[3], T(-outer), squared};
    p.inner = D::inner(support_eps, d);
    p.radius = radius_of(outer, squared, p.params.inverse_scale);
    p.reach = max_(p.radius, radius_of(p.inner, squared, p.params.inverse_scale));
  } else {
    report_number(status, Error::kScale, scale);
    p.params = {T(1), parameters[1], parameters[2], parameters[3], T(0), squared};
    p.inner = 0;
    p.radius = p.reach = -infinity_<double>();  // nothing is covered
  }
  *plan = p;
}

// Calls body(distribution) for the one that settings name, after a launch that forms the plan.
template <class T, class Body>
void with_plan(const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan, Status status, cudaStream_t stream,
               const Body& body) {
  if (!(settings.support_eps > 0 && settings.support_eps < 0.5))
    throw std::invalid_argument("distribution: support_eps must lie in (0, 0.5), got " + std::to_string(settings.support_eps));
  const bool found = with_name(Distributions{}, settings.distribution, [&](auto d) {
    launch(plan_kernel<decltype(d), T>, {1, 1, 0, stream}, parameters, settings.squared, settings.support_eps, plan, status);
    body(d);
  });
  if (!found) throw std::invalid_argument("distribution: unknown name '" + std::string(settings.distribution) + "'");
}

template <class T>
RNDR_HD DistributionParams<T> distribution_params(const CoverageParams<T>& c) {
  return {T(1) / c.inverse_scale, c.shape, c.shift};
}

RNDR_NAMESPACE_END
