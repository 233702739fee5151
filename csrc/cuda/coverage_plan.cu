#include "cuda/coverage_plan.h"

#include "cuda/distribution.h"

RNDR_NAMESPACE_BEGIN
namespace {

// Where a distribution of scale 1 counts as 0 and as 1.
struct Support {
  double outer, inner;
};

template <class D>
RNDR_DEVICE_NOINLINE Support support_of(double eps, DistributionParams<double> p) {
  return {D::outer(eps, p), D::inner(eps, p)};
}

template <class T>
__global__ void plan_kernel(int distribution, bool has_shape, const T* parameters, bool squared, double support_eps, CoveragePlan<T>* plan, Status status) {
  const double scale = parameters[0], shape = parameters[1], shift = parameters[2];
  const bool scale_fits = scale > 0 && scale < infinity_<double>();
  // With these, series would hardly end.
  const bool shape_fits = !has_shape || (shape > 0 && shape < infinity_<double>()), shift_fits = abs_(shift) < infinity_<double>();
  CoveragePlan<T> p;
  if (scale_fits && shape_fits && shift_fits) {
    const DistributionParams<double> d{1.0, parameters[1], parameters[2]};
    Support support{};
    at_index(Distributions{}, distribution, [&](auto of) { support = support_of<decltype(of)>(support_eps, d); });
    p.params = {T(1 / scale), parameters[1], parameters[2], parameters[3], T(-support.outer), squared};
    p.inner = support.inner;
    p.radius = radius_of(support.outer, squared, p.params.inverse_scale);
    p.reach = max_(p.radius, radius_of(p.inner, squared, p.params.inverse_scale));
  } else {
    if (!scale_fits) report_number(status, Error::kScale, scale);
    if (!shape_fits) report_number(status, Error::kShape, shape);
    if (!shift_fits) report_number(status, Error::kShift, shift);
    p.params = {T(1), T(has_shape), T(0), parameters[3], T(0), squared};
    p.inner = 0;
    p.radius = p.reach = -infinity_<double>();  // nothing is covered
  }
  *plan = p;
}

}  // namespace

template <class T>
void form_plan(const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan, Status status, cudaStream_t stream) {
  if (!(settings.support_eps > 0 && settings.support_eps < 0.5))
    throw std::invalid_argument("distribution: support_eps must lie in (0, 0.5), got " + std::to_string(settings.support_eps));
  const AnyDistribution any = any_distribution(settings.distribution);
  launch(plan_kernel<T>, {1, 1, 0, stream}, any.index, any.has_shape, parameters, settings.squared, settings.support_eps, plan, status);
}

template void form_plan<float>(const float*, const CoverageSettings&, CoveragePlan<float>*, Status, cudaStream_t);
template void form_plan<double>(const double*, const CoverageSettings&, CoveragePlan<double>*, Status, cudaStream_t);

RNDR_NAMESPACE_END
