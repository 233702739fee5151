// The perturbation distributions: cdf, density, level and their derivatives, one struct each.
//
// All take z = x / scale. level(z) = -ln(1 - F(z)) in [0, inf] is computed on its own, not through F, so that saturated
// coverage keeps its relative precision at both ends. shift_sign s is such that F depends on z + s * shift, so
// dF/dshift = s f(z). Mirrors renderer/relax/distributions.py name for name.
#pragma once
#include "math/special.h"
#include "support/macros.h"
#include "support/type_list.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct DistributionParams {
  T scale, shape, shift;  // shape and shift are read only where the distribution has them
};

// Smallest r >= 0 that satisfies a monotone condition, or inf: 0, 1, 2, 4, ... until it holds, then 60 halvings. Runs once a launch, on the
// device too; the condition is written into it but once, for nvcc's sake.
template <class Condition>
RNDR_HD double smallest_radius(Condition holds) {
  double low = 0., high = 0.;
  bool found = false;
  for (int halvings = 0; halvings < 60;) {
    const double at = found ? 0.5 * (low + high) : high;
    halvings += found;
    if (holds(at)) {
      if (at == 0.) return 0.;
      found = true;
      high = at;
    } else {
      low = at;
      if (found) continue;
      high = at == 0. ? 1. : 2. * at;
      if (!(high < infinity_<double>())) return high;
    }
  }
  return high;
}

// What most distributions share: no parameters, and support radii found from cdf and level.
template <class Self>
struct DistributionBase {
  static constexpr bool has_shape = false, has_shift = false;
  static constexpr int shift_sign = 0;

  template <class T>
  RNDR_HD static T dcdf_dshape(T, const DistributionParams<T>&) {
    return T(0);
  }
  // r >= 0 with F(-r) <= eps, the smallest one.
  RNDR_HD static double outer(double eps, const DistributionParams<double>& p) {
    return smallest_radius([&](double r) { return Self::template cdf<double>(-r, p) <= eps; });
  }
  // r >= 0 with 1 - F(r) <= eps, the smallest one.
  RNDR_HD static double inner(double eps, const DistributionParams<double>& p) {
    const double enough = -log_(eps);
    return smallest_radius([&](double r) { return Self::template level<double>(r, p) >= enough; });
  }
};

// Symmetric distributions state the probability tail(t) = P(Z > t) <= 1/2 for t >= 0; the rest follows.
template <class Self>
struct SymmetricDistribution : DistributionBase<Self> {
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>&) {
    const T t = Self::tail(abs_(z));
    return select_(z < 0, t, 1 - t);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    return -log_survival_of(z, Self::tail(abs_(z)), Self::tail(abs_(z)));
  }

 protected:
  // ln(1 - tail) left of the centre, ln(upper) right of it, with one logarithm.
  template <class T>
  RNDR_HD static T log_survival_of(T z, T tail, T upper) {
    const T u = 1 - tail;
    return log_sum_(select_(z < 0, u, upper), select_(z < 0, (T(1) - u) - tail, T(0)));
  }
};

// Symmetric distributions on [-1, 1]: cut where F = 0, whatever eps, so that nothing is lost.
template <class Self>
struct BoundedDistribution : SymmetricDistribution<Self> {
  RNDR_HD static double outer(double, const DistributionParams<double>&) { return 1.; }
  RNDR_HD static double inner(double, const DistributionParams<double>&) { return 1.; }
};

struct Hard : DistributionBase<Hard> {
  static constexpr const char* name = "hard";
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>&) {
    return select_(z > 0, T(1), T(0));
  }
  template <class T>
  RNDR_HD static T pdf(T, const DistributionParams<T>&) {
    return T(0);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    return select_(z > 0, infinity_<T>(), T(0));
  }
  RNDR_HD static double inner(double, const DistributionParams<double>&) { return 0.; }  // F(0) = 0, but F(0+) = 1
};

struct Uniform : BoundedDistribution<Uniform> {
  static constexpr const char* name = "uniform";
  template <class T>
  RNDR_HD static T tail(T t) {
    return max_(T(0.5) * (1 - t), T(0));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    return select_(abs_(z) <= 1, T(0.5), T(0));
  }
};

struct CubicHermite : BoundedDistribution<CubicHermite> {
  static constexpr const char* name = "cubic_hermite";
  template <class T>
  RNDR_HD static T tail(T t) {
    const T u = max_(T(0.5) * (1 - t), T(0));
    return u * u * (3 - 2 * u);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T t = min_(abs_(z), T(1));
    return T(0.75) * (1 - t) * (1 + t);
  }
};

struct WignerSemicircle : BoundedDistribution<WignerSemicircle> {
  static constexpr const char* name = "wigner_semicircle";
  template <class T>
  RNDR_HD static T tail(T t) {
    return circle_segment_(max_(1 - t, T(0)));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T t = min_(abs_(z), T(1));
    return T(2 / kPi) * sqrt_((1 - t) * (1 + t));
  }
};

struct Gaussian : SymmetricDistribution<Gaussian> {
  static constexpr const char* name = "gaussian";
  template <class T>
  RNDR_HD static T tail(T t) {
    return normal_tail_(t);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    return T(kInvSqrt2Pi) * exp_(T(-0.5) * z * z);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    const T t = abs_(z);
    return select_(z > 0, T(0.5) * z * z, T(0)) - log_survival_of(z, normal_tail_(t), scaled_normal_tail_(t));
  }
};

struct Laplace : SymmetricDistribution<Laplace> {
  static constexpr const char* name = "laplace";
  template <class T>
  RNDR_HD static T tail(T t) {
    return T(0.5) * exp_(-t);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    return T(0.5) * exp_(-abs_(z));
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    const T below = -log1p_(-tail(abs_(z)));
    return select_(z < 0, below, z + T(kLn2));
  }
};

struct Logistic : SymmetricDistribution<Logistic> {
  static constexpr const char* name = "logistic";
  template <class T>
  RNDR_HD static T tail(T t) {
    const T e = exp_(-t);
    return e / (1 + e);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T e = exp_(-abs_(z));
    return e / ((1 + e) * (1 + e));
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    return softplus_(z);
  }
};

struct Gudermannian : SymmetricDistribution<Gudermannian> {
  static constexpr const char* name = "gudermannian";
  template <class T>
  RNDR_HD static T tail(T t) {
    const T e = exp_(-t);
    return T(2 / kPi) * e * atan_ratio_(e);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T e = exp_(-abs_(z));
    return T(2 / kPi) * e / (1 + e * e);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    const T e = exp_(-abs_(z));
    const T scaled = T(2 / kPi) * atan_ratio_(e);  // the tail without its factor e, which leaves as z
    return max_(z, T(0)) - log_survival_of(z, scaled * e, scaled);
  }
};

struct Cauchy : SymmetricDistribution<Cauchy> {
  static constexpr const char* name = "cauchy";
  template <class T>
  RNDR_HD static T tail(T t) {
    const T inverse = 1 / t;
    const T r = select_(t > 1, inverse, t);
    const T a = T(1 / kPi) * r * atan_ratio_(r);
    return select_(t > 1, a, T(0.5) - a);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    return T(1 / kPi) / (1 + z * z);
  }
};

struct Reciprocal : SymmetricDistribution<Reciprocal> {
  static constexpr const char* name = "reciprocal";
  template <class T>
  RNDR_HD static T tail(T t) {
    return T(0.5) / (1 + t);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T h = 1 / (1 + abs_(z));
    return T(0.5) * h * h;
  }
};

struct Optimal : SymmetricDistribution<Optimal> {
  static constexpr const char* name = "optimal";
  template <class T>
  RNDR_HD static T tail(T t) {
    const T far = T(0.0625) / t;
    return select_(t > T(0.25), far, T(0.5) - t);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T t = abs_(z);
    const T far = T(0.0625) / (t * t);
    return select_(t > T(0.25), far, T(1));
  }
};

struct GumbelMax : DistributionBase<GumbelMax> {
  static constexpr const char* name = "gumbel_max";
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>&) {
    return exp_(-exp_(-z));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T w = exp_(-max_(z, T(-80)));  // beyond, F = f = 0 and w would be inf
    return w * exp_(-w);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    const T w = exp_(-z);
    const bool small = w < T(kLn2);
    const T e = exp_(-w);
    const T u = 1 - e;
    return select_(small, z, T(0)) - log_sum_(select_(small, exp_ratio_(w), u), select_(small, T(0), (T(1) - u) - e));
  }
};

struct GumbelMin : DistributionBase<GumbelMin> {
  static constexpr const char* name = "gumbel_min";
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>&) {
    return -expm1_(-exp_(z));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>&) {
    const T w = exp_(min_(z, T(80)));
    return w * exp_(-w);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>&) {
    return exp_(z);
  }
};

struct Exponential : DistributionBase<Exponential> {
  static constexpr const char* name = "exponential";
  static constexpr bool has_shift = true;
  static constexpr int shift_sign = 1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return -expm1_(-level(z, p));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    const T y = z + p.shift;
    const T f = exp_(-y);
    return select_(y > 0, f, T(0));
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    return max_(z + p.shift, T(0));
  }
};

struct ExponentialRev : DistributionBase<ExponentialRev> {
  static constexpr const char* name = "exponential_rev";
  static constexpr bool has_shift = true;
  static constexpr int shift_sign = -1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return exp_(min_(z - p.shift, T(0)));
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    const T y = z - p.shift;
    const T f = exp_(y);
    return select_(y < 0, f, T(0));
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    return -log1mexp_(max_(p.shift - z, T(0)));
  }
};

struct Gamma : DistributionBase<Gamma> {
  static constexpr const char* name = "gamma";
  static constexpr bool has_shape = true, has_shift = true;
  static constexpr int shift_sign = 1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return gamma_probability_(p.shape, z + p.shift, false);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    return gamma_density_(p.shape, z + p.shift);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    return gamma_level_(p.shape, z + p.shift, true);
  }
  template <class T>
  RNDR_HD static T dcdf_dshape(T z, const DistributionParams<T>& p) {
    return gamma_probability_da_(p.shape, z + p.shift);
  }
};

struct GammaRev : DistributionBase<GammaRev> {
  static constexpr const char* name = "gamma_rev";
  static constexpr bool has_shape = true, has_shift = true;
  static constexpr int shift_sign = -1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return gamma_probability_(p.shape, p.shift - z, true);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    return gamma_density_(p.shape, p.shift - z);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    return gamma_level_(p.shape, p.shift - z, false);
  }
  template <class T>
  RNDR_HD static T dcdf_dshape(T z, const DistributionParams<T>& p) {
    return -gamma_probability_da_(p.shape, p.shift - z);
  }
};

// Y = 1 / N^2 has the Levy distribution: P(Y <= y) = P(|N| >= w) with w = 1/sqrt(y), N standard normal.
struct LevyTail {
  // exp(-1/(2y)) is 0 in double below this, so nothing else need be finite there.
  static constexpr double smallest = 1e-4;

  template <class T>
  RNDR_HD static T outside(T y) {  // P(|N| >= 1/sqrt(y)); 0 for y <= 0
    const T c = max_(y, T(smallest));
    return 2 * exp_(T(-0.5) / c) * scaled_normal_tail_(1 / sqrt_(c));
  }
  template <class T>
  RNDR_HD static T inside(T y) {  // P(|N| < 1/sqrt(y)); 1 for y <= 0
    const T w = 1 / sqrt_(max_(y, T(smallest)));
    const T centre = w * normal_centre_ratio_(min_(w, T(1)));
    const T rest = 1 - outside(y);
    return select_(w < 1, centre, rest);
  }
  template <class T>
  RNDR_HD static T density(T y) {
    const T c = max_(y, T(smallest));
    const T w = 1 / sqrt_(c);
    return T(kInvSqrt2Pi) * w * w * w * exp_(T(-0.5) / c);
  }
};

struct Levy : DistributionBase<Levy> {
  static constexpr const char* name = "levy";
  static constexpr bool has_shift = true;
  static constexpr int shift_sign = 1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return LevyTail::outside(z + p.shift);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    return LevyTail::density(z + p.shift);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    const T y = z + p.shift;
    const T w = 1 / sqrt_(max_(y, T(LevyTail::smallest)));
    const T centre = w * normal_centre_ratio_(min_(w, T(1)));
    const T outside = LevyTail::outside(y);
    const T u = 1 - outside;
    return -log_sum_(select_(w < 1, centre, u), select_(w < 1, T(0), (T(1) - u) - outside));
  }
};

struct LevyRev : DistributionBase<LevyRev> {
  static constexpr const char* name = "levy_rev";
  static constexpr bool has_shift = true;
  static constexpr int shift_sign = -1;
  template <class T>
  RNDR_HD static T cdf(T z, const DistributionParams<T>& p) {
    return LevyTail::inside(p.shift - z);
  }
  template <class T>
  RNDR_HD static T pdf(T z, const DistributionParams<T>& p) {
    return LevyTail::density(p.shift - z);
  }
  template <class T>
  RNDR_HD static T level(T z, const DistributionParams<T>& p) {
    const T y = max_(p.shift - z, Limits<T>::smallest);  // 1 / (2y) stays finite; y <= 0 is replaced below
    const T w = 1 / sqrt_(y);
    const T centre = w * normal_centre_ratio_(min_(w, T(1)));
    const T u = 1 - centre;
    const T log_survival =
        log_sum_(select_(w < 1, u, 2 * scaled_normal_tail_(w)), select_(w < 1, (T(1) - u) - centre, T(0)));
    const T r = select_(w < 1, T(0), T(0.5) / y) - log_survival;
    return select_(z < p.shift, r, infinity_<T>());
  }
};

using Distributions =
    TypeList<Hard, Uniform, CubicHermite, WignerSemicircle, Gaussian, Laplace, Logistic, Gudermannian, Cauchy, Reciprocal,
             Optimal, GumbelMax, GumbelMin, Exponential, ExponentialRev, Gamma, GammaRev, Levy, LevyRev>;

RNDR_NAMESPACE_END
