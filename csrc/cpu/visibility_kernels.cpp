// Compiled once per SIMD level, as cpu/kernels.cpp: the loop of the hard rasteriser.
#include "cpu/kernels.h"
#include "raster/visibility.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <class T, bool peel>
void cover_loop(const void* planes, const Rect& r, int stride, bool perspective, int64_t face, const T* behind, double* nearness,
                int64_t* id) {
  const FacePlanes p = *static_cast<const FacePlanes*>(planes);
  for (int row = 0; row < r.height; ++row) {
    const double y = r.y0 + row + 0.5;
    const int at = (r.y0 + row) * stride + r.x0;
    const T* before = peel ? behind + at : nullptr;
    double* best = nearness + at;
    int64_t* out = id + at;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const PlanePoint point = point_of(p, r.x0 + i + 0.5, y);
      const double here = point.nearness;
      bool take = point.inside & (here > best[i]);
      // The depth as it is written in the end, so that no layer finds itself again.
      if constexpr (peel) take &= T(depth_of_nearness(here, perspective)) > before[i];
      best[i] = take ? here : best[i];
      out[i] = take ? face : out[i];
    }
  }
}

template <class T>
void cover_kernel(const void* planes, const Rect& r, int stride, bool perspective, int64_t face, const T* behind, double* nearness,
                  int64_t* id) {
  behind ? cover_loop<T, true>(planes, r, stride, perspective, face, behind, nearness, id)
         : cover_loop<T, false>(planes, r, stride, perspective, face, behind, nearness, id);
}

}  // namespace

template <class T>
VisibilityKernels<T> visibility_kernels() {
  return {cover_kernel<T>};
}
template VisibilityKernels<float> visibility_kernels<float>();
template VisibilityKernels<double> visibility_kernels<double>();

RNDR_NAMESPACE_END
