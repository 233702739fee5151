// A relaxed comparator: wires lo and hi exchange the share `move` of their difference d = hi - lo, and ascend as it goes.
//
// stay(d) = F(beta d) is the probability that the two need not change places, move = 1 - stay. Forward, for values as for
// the rows of a payload: lo += move d, hi -= move d; the map is symmetric, so its transpose is itself. Where the greater
// share moves, the two change places first and exchange the smaller share then: what is nearly swapped keeps its digits,
// and a hard comparator swaps exactly. Backward, with
// s = g_hi - g_lo: a payload's gradient goes through the same exchange, and since d acts through stay as well,
//   g_lo += t, g_hi -= t,  t = s (move - d slope) - slope * payload,
// where slope = d stay / d d and `payload` is the sum over the payload's columns of (g_hi - g_lo)(hi - lo).
#pragma once
#include "relax/distributions.h"
#include "sort/network.h"
#include "support/macros.h"
#include "support/type_list.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct RelaxationParams {
  T beta;
  DistributionParams<T> distribution;
};

template <class T>
RNDR_HD RelaxationParams<T> params_of(const RelaxationSettings<T>& s) {
  return {s.beta, {T(1), s.shape, s.shift}};
}

// A distribution of the core.
template <class D>
struct CoreRelaxation {
  static constexpr const char* name = D::name;
  template <class T>
  RNDR_HD static T stay(T d, const RelaxationParams<T>& p) {
    return D::cdf(p.beta * d, p.distribution);
  }
  template <class T>
  RNDR_HD static T slope(T d, const RelaxationParams<T>& p) {
    return p.beta * D::pdf(p.beta * d, p.distribution);
  }
};

// Adaptive relaxation: the logistic distribution at beta d / (|d| + eps)^(1/4). Mirrors renderer/sort/relaxations.py.
struct LogisticPhi {
  static constexpr const char* name = "logistic_phi";
  static constexpr double eps = 1e-10;
  template <class T>
  RNDR_HD static T stay(T d, const RelaxationParams<T>& p) {
    return Logistic::cdf(p.beta * d / root(abs_(d) + T(eps)), p.distribution);
  }
  template <class T>
  RNDR_HD static T slope(T d, const RelaxationParams<T>& p) {
    const T u = abs_(d) + T(eps), steep = p.beta / root(u);
    return Logistic::pdf(steep * d, p.distribution) * steep * (1 - T(0.25) * abs_(d) / u);
  }

 private:
  template <class T>
  RNDR_HD static T root(T u) {
    return sqrt_(sqrt_(u));
  }
};

template <class... Ds>
TypeList<CoreRelaxation<Ds>..., LogisticPhi> relaxations_of(TypeList<Ds...>);
using Relaxations = decltype(relaxations_of(Distributions{}));

// The hard comparator, which leaves equal values in place.
template <class T>
RNDR_HD T hard_move(T d) {
  return select_(d < 0, T(1), T(0));
}

// lo and hi exchange `move` of their difference, given stay = 1 - move.
template <class T>
RNDR_HD void exchange(T move, T stay, T& lo, T& hi) {
  const bool swap = stay < move;
  const T a = select_(swap, hi, lo), b = select_(swap, lo, hi);
  const T amount = select_(swap, stay, move) * (b - a);
  lo = a + amount;
  hi = b - amount;
}

RNDR_NAMESPACE_END
