// What the forward and the backward kernel of the face coverage share.
#pragma once
#include "cuda/distribution.h"
#include "cuda/face_coverage.h"
#include "cuda/t_conorm.h"
#include "math/triangle.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct FaceTiles {
  Screen<T> screen;
  const CoveragePlan<T>* plan;

  __device__ bool range(int view, int face, CellRange& r) const {
    Extent e;
    if (!extent_of(screen, view, face, plan->radius, e)) return false;
    r = tiles_of(e);
    return true;
  }
};

template <class T>
struct PairCoverage {
  T z, v, level;  // v and level only if the T-conorm uses them
  bool seen;      // false outside the support
};

// The coverage of one pixel by one face.
template <class D, class C, class T>
__device__ __forceinline__ PairCoverage<T> cover(const LocalTriangle<T>& t, T x, T y, const CoverageParams<T>& c, const D& distribution,
                                                 const C& conorm) {
  bool inside;
  const T d2 = boundary_distance2(t, x, y, inside);
  PairCoverage<T> r;
  r.z = standardise(d2, inside, c.squared, c.inverse_scale);
  const DistributionParams<T> d = distribution_params(c);
  r.v = conorm.uses_value() ? distribution.cdf(r.z, d) : T(0);
  r.level = conorm.uses_level() ? distribution.level(r.z, d) : T(0);
  r.seen = r.z >= c.lowest;
  return r;
}

// A face is a maximum if its coverage equals the pixel's to the last bit, so both passes must run the very same instructions: those of
// these two functions.
template <class T>
RNDR_DEVICE_NOINLINE void localize_face(const Screen<T>& s, int view, int face, int tile_x, int tile_y, LocalTriangle<T>& local) {
  double x[3], y[3];
  s.corners(view, face, x, y);
  local = localize<T>(triangle_lines(x, y), tile_x, tile_y);
}

template <class D, class C, class T>
RNDR_DEVICE_NOINLINE PairCoverage<T> cover_exactly(const LocalTriangle<T>& t, T x, T y, const CoverageParams<T>& c, const D& distribution,
                                                   const C& conorm) {
  return cover(t, x, y, c, distribution, conorm);
}

template <class D, class C, class T>
__device__ __forceinline__ PairCoverage<T> coverage_of(const LocalTriangle<T>& t, T x, T y, const CoverageParams<T>& c, const D& distribution,
                                                       const C& conorm) {
  if constexpr (C::exact)
    return cover_exactly(t, x, y, c, distribution, conorm);
  else
    return cover(t, x, y, c, distribution, conorm);
}

// Calls body(distribution, t_conorm) for what settings name, after launches that form the plan and the bins. With the usual T-conorm both
// are compiled in; the others are calls, beside which that of the distribution counts little.
template <class T, class Body>
void with_face_plan(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan, const Bins& bins,
                    Status status, cudaStream_t stream, const Body& body) {
  const AnyDistribution any = any_distribution(settings.distribution);
  const AnyTConorm conorm = any_t_conorm(settings.t_conorm);
  const ImageTiles tiles = tiles_of(s);
  form_plan(parameters, settings, plan, status, stream);
  bin_items(FaceTiles<T>{s, plan}, s.batch, s.face_count, tiles.columns(), tiles.rows(), bins, stream);
  if (same_name(settings.t_conorm, Probabilistic::name))
    with_name(Distributions{}, settings.distribution, [&](auto d) { body(d, OneTConorm<Probabilistic>{}); });
  else
    body(any, conorm);
}

RNDR_NAMESPACE_END
