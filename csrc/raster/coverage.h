// From a distance to the argument of a distribution, from coverage to the gradient of an aggregate.
#pragma once
#include "math/special.h"
#include "relax/t_conorms.h"
#include "support/macros.h"

namespace rndr {

// Parameters of the perturbation and the aggregation as the kernels read them.
template <class T>
struct CoverageParams {
  T inverse_scale, shape, shift, p;
  T lowest;  // z below this is outside the support: coverage and gradient are exactly 0
  bool squared;
};

}  // namespace rndr

RNDR_NAMESPACE_BEGIN

// z = d / scale, or sign(d) d^2 / scale, of a signed distance d.
template <class T>
RNDR_HD T standardise(T distance2, bool inside, bool squared, T inverse_scale) {
  const T size = squared ? distance2 : sqrt_(distance2);
  return (inside ? size : -size) * inverse_scale;
}

template <class T>
RNDR_HD T standardise_signed(T distance, bool squared, T inverse_scale) {
  return (squared ? distance * abs_(distance) : distance) * inverse_scale;
}

template <class T>
RNDR_HD T standardise_slope(T distance, bool squared, T inverse_scale) {
  return squared ? T(2) * distance * inverse_scale : inverse_scale;
}

// The radius in pixels at which |z| is reached.
template <class T>
RNDR_HD double radius_of(double z, bool squared, T inverse_scale) {
  const double scaled = z / inverse_scale;
  return squared ? sqrt_(scaled) : scaled;
}

// A maximum shares its gradient among equals, so their number is kept beside it.
template <class S>
struct CountsTies {
  static constexpr bool value = false;
};
template <>
struct CountsTies<Max> {
  static constexpr bool value = true;
};
template <class S>
constexpr bool counts_ties = CountsTies<S>::value;

// The state of more faces, and how many of them equal their maximum, in a pixel's own.
template <class S, class T>
RNDR_HD void merge(T more, T more_ties, T& state, T& ties) {
  if constexpr (counts_ties<S>) ties = more > state ? more_ties : ties + (more == state ? more_ties : T(0));
  state = S::combine(state, more);
}

// One more coverage in a pixel's state.
template <class S, class T>
RNDR_HD void accumulate(T v, T level, T p, T& state, T& ties) {
  merge<S>(S::generator(v, level, p), T(1), state, ties);
}

// dS/dv of one coverage among those in the state.
template <class S, class T>
RNDR_HD T aggregate_slope(T v, T level, T state, T ties, T p) {
  const T slope = S::ratio(v, level, state, p);
  if constexpr (counts_ties<S>) return ties > T(0) ? slope / ties : T(0);
  return slope;
}

RNDR_NAMESPACE_END
