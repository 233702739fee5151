// The T-conorms, which aggregate the coverage of many faces, one struct each.
//
// S = s^-1(sum_i s(v_i)): a pixel keeps only its state u = sum s(v_i) (or a maximum), and the derivative of S in one v_i
// is ratio = s'(v_i) / s'(S). Every face is given by its coverage v and its level L = -ln(1 - v), which stays precise
// where v rounds to 1; uses_value and uses_level say which of the two are read. The power families keep ln u, and add by
// logaddexp, so that p = +-50 neither overflows nor loses precision in float.
//
//   identity()                        state of an empty pixel
//   generator(v, L, p)                what a face adds to the state
//   combine(state, g)                 the state with a face added
//   value(state, p)                   S
//   ratio(v, L, state, p)             dS/dv; always finite; 0 where v or S is exactly saturated
//   dgenerator_dp(v, L, state, p)     this face's contribution to dS/dp, (ds/dp)(v) / s'(S)
//   saturated(state)                  true only if S = 1 and every derivative is 0 in every precision, whatever else is added
//   dvalue_dp(state, p)               dS/dp at a fixed state; dS/dp = sum of dgenerator_dp + dvalue_dp
//
// Mirrors renderer/relax/t_conorms.py name for name.
#pragma once
#include "math/special.h"
#include "support/macros.h"
#include "support/type_list.h"

RNDR_NAMESPACE_BEGIN

// x where it is finite, else 0: closes forms such as 0 * inf, whose limit is 0 at every place that uses this.
template <class T>
RNDR_HD T finite_or_zero_(T x) {
  return select_(abs_(x) < infinity_<T>(), x, T(0));
}

// exp(x), kept finite: s' of a power family with p < 1 tends to inf as v tends to 0.
template <class T>
RNDR_HD T exp_finite_(T x) {
  return exp_(min_(x, Limits<T>::log_largest));
}

// (p - 1) x, where x may be infinite: 0 for p = 1.
template <class T>
RNDR_HD T power_term_(T p, T x) {
  return select_(p == 1, T(0), (p - 1) * x);
}

// exp(-u) is beyond what double resolves next to 1, even after a division by a narrow slope.
constexpr double kSaturated = 80.;

// Families without a parameter.
struct PlainTConorm {
  static constexpr bool has_p = false;

  template <class T>
  RNDR_HD static bool saturated(T) {
    return false;
  }

  template <class T>
  RNDR_HD static T identity() {
    return T(0);
  }
  template <class T>
  RNDR_HD static T combine(T state, T g) {
    return state + g;
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T, T, T, T) {
    return T(0);
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T, T) {
    return T(0);
  }
};

struct Max : PlainTConorm {
  static constexpr const char* name = "max";
  static constexpr bool uses_value = true, uses_level = false;

  template <class T>
  RNDR_HD static T generator(T v, T, T) {
    return v;
  }
  template <class T>
  RNDR_HD static T combine(T state, T g) {
    return max_(state, g);
  }
  template <class T>
  RNDR_HD static T value(T state, T) {
    return state;
  }
  // 1 at every maximum: whoever calls this divides by their number.
  template <class T>
  RNDR_HD static T ratio(T v, T, T state, T) {
    return select_(v == state, T(1), T(0));
  }
};

struct Probabilistic : PlainTConorm {
  static constexpr const char* name = "probabilistic";
  static constexpr bool uses_value = false, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T, T L, T) {
    return L;
  }
  template <class T>
  RNDR_HD static T value(T state, T) {
    return -expm1_(-state);
  }
  template <class T>
  RNDR_HD static bool saturated(T state) {
    return state > T(kSaturated);
  }
  template <class T>
  RNDR_HD static T ratio(T, T L, T state, T) {
    const T r = exp_(min_(L - state, T(0)));
    return select_(L < infinity_<T>(), r, T(0));
  }
};

// s = artanh v = (ln(1 + v) + L) / 2.
struct Einstein : PlainTConorm {
  static constexpr const char* name = "einstein";
  static constexpr bool uses_value = true, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T v, T L, T) {
    return T(0.5) * (log1p_(v) + L);
  }
  template <class T>
  RNDR_HD static T value(T state, T) {
    const T e = expm1_(-2 * state);
    return -e / (2 + e);
  }
  template <class T>
  RNDR_HD static bool saturated(T state) {
    return state > T(kSaturated / 2);
  }
  // (1 - tanh^2 u) / (1 - v^2), with exp(-L) for 1 - v.
  template <class T>
  RNDR_HD static T ratio(T v, T L, T state, T) {
    const T e = 1 + exp_(-2 * state);
    const T r = 4 * exp_(min_(L - 2 * state, T(0))) / (e * e * (1 + v));
    return select_(L < infinity_<T>(), r, T(0));
  }
};

// Families of a parameter p whose states add.
struct SumTConorm {
  static constexpr bool has_p = true;

  template <class T>
  RNDR_HD static bool saturated(T) {
    return false;
  }
  template <class T>
  RNDR_HD static T identity() {
    return T(0);
  }
  template <class T>
  RNDR_HD static T combine(T state, T g) {
    return state + g;
  }
};

// s = ln(1 + p o) / p with the odds o = v/(1-v) = expm1(L): the usual generator over p, so that p = 0, s = o, is its
// limit. p >= 0. Below, r are the odds of S.
struct Hamacher : SumTConorm {
  static constexpr const char* name = "hamacher";
  static constexpr bool uses_value = false, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T, T L, T p) {
    const T odds = expm1_(L);
    const T g = log1p_odds(L, odds, p) / p;
    return select_(p * odds >= Limits<T>::epsilon / 4, g, odds);
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    const T r = odds_of(state, p);
    const T s = r / (1 + r);
    return select_(r < infinity_<T>(), s, T(1));
  }
  // s'(v) = (1 + o)^2 / (1 + p o); 1 + o = exp(L), and 1 + p r = exp(p u).
  template <class T>
  RNDR_HD static T ratio(T, T L, T state, T p) {
    const T odds = expm1_(L);
    const T of_face = log1p_odds(L, odds, p);
    const T r = exp_((p * state - of_face) + 2 * (L - level_of(state, p)));
    return select_(L < infinity_<T>(), finite_or_zero_(r), T(0));
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T, T L, T state, T p) {
    return finite_or_zero_(slope(L, expm1_(L), state, p));
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    return -finite_or_zero_(slope(level_of(state, p), odds_of(state, p), state, p));
  }

 private:
  // ln(1 + p o), through the level where p o leaves the range; 0 for p = 0.
  template <class T>
  RNDR_HD static T log1p_odds(T L, T odds, T p) {
    const T x = p * odds;
    const T near = log1p_(x);
    const T far = L + log_(p);
    const T r = select_(x < infinity_<T>(), near, far);
    return select_(p > 0, r, T(0));
  }
  // r = expm1(p u) / p.
  template <class T>
  RNDR_HD static T odds_of(T state, T p) {
    const T x = p * state;
    const T r = expm1_(x) / p;
    return select_(x >= Limits<T>::epsilon / 4, r, state);
  }
  // -ln(1 - S) = ln(1 + r), through p u where r leaves the range.
  template <class T>
  RNDR_HD static T level_of(T state, T p) {
    const T r = odds_of(state, p);
    const T near = log1p_(r);
    const T far = p * state - log_(p);
    return select_((r < infinity_<T>()) | !(p > 0), near, far);
  }
  // (ds/dp)(o) / s'(S) = phi(p o) o^2 (1 + p r) / (1 + r)^2 with phi(x) = (x/(1+x) - ln(1+x)) / x^2.
  template <class T>
  RNDR_HD static T slope(T L, T odds, T state, T p) {
    const T x = p * odds;
    const T root = exp_(T(0.5) * p * state - level_of(state, p));  // sqrt(1 + p r) / (1 + r)
    const T a = odds * root;
    const T near = a * a *
                   poly_(x, T(-1. / 2), T(2. / 3), T(-3. / 4), T(4. / 5), T(-5. / 6), T(6. / 7), T(-7. / 8), T(8. / 9));
    const T b = root / p;
    const T fraction = select_(x < infinity_<T>(), x / (1 + x), T(1));
    const T far = b * b * (fraction - log1p_odds(L, odds, p));
    const T switch_at = sizeof(T) == 4 ? T(0.12) : T(0.008);  // the next term of phi is below the rounding error there
    return select_(x < switch_at, near, far);
  }
};

// s = -ln((p^(1-v) - 1) / (p - 1)), p > 0; p = 1 is the limit -ln(1 - v). With q = ln p, w = 1 - v and W = 1 - S.
struct Frank : SumTConorm {
  static constexpr const char* name = "frank";
  static constexpr bool uses_value = true, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T v, T L, T p) {
    const T q = log_base(p);
    const T e = expm1_(-q * v) / expm1_(-q);  // 1 - exp(-s)
    const T upper = expm1_(q * exp_(-L)) / expm1_(q);
    const T u = 1 - e;
    const bool low = e <= T(0.5);
    return -log_sum_(select_(low, u, upper), select_(low, (T(1) - u) - e, T(0)));
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    const T q = log_base(p);
    const T e = -expm1_(-state);
    const T lower = -log1p_(expm1_(-q) * min_(e, T(0.5))) / q;
    const T upper = 1 - log_denominator(state, q) / q;
    return select_(e <= T(0.5), lower, upper);
  }
  // s'(v) = q / (1 - exp(-q w)).
  template <class T>
  RNDR_HD static T ratio(T, T L, T state, T p) {
    const T q = log_base(p);
    const T w = exp_(-L);
    const T r = (expm1_(q) * exp_(-state) / expm1_(q * w)) * (exp_(q * w) / denominator(state, q));
    return finite_or_zero_(r);
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T v, T L, T state, T p) {
    return finite_or_zero_(slope(v, exp_(-L), state, p));
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    const T q = log_base(p);
    return -finite_or_zero_(slope(value(state, p), log_denominator(state, q) / q, state, p));
  }

 private:
  // ln p; its formulas hold in the limit for any q far below the spacing of floats near 1.
  template <class T>
  RNDR_HD static T log_base(T p) {
    const T q = log_(p);
    return select_(q == 0, T(1e-20), q);
  }
  // exp(q W) = 1 + (p - 1) exp(-u), as a sum of positive terms.
  template <class T>
  RNDR_HD static T denominator(T state, T q) {
    return exp_(q - state) - expm1_(-state);
  }
  // q W, its logarithm.
  template <class T>
  RNDR_HD static T log_denominator(T state, T q) {
    const T x = expm1_(q) * exp_(-state);
    const T u = 1 + x;
    const bool near = x > T(-0.5);
    return log_sum_(select_(near, u, denominator(state, q)), select_(near, x - (u - T(1)), T(0)));
  }
  // (ds/dp)(v) / s'(S), where p ds/dp = (h(q) - h(q w)) / q, h(t) = t / (1 - exp(-t)).
  template <class T>
  RNDR_HD static T slope(T v, T w, T state, T p) {
    const T q = log_base(p);
    const T w2 = w * w, w4 = w2 * w2;
    const T near = v * (T(0.5) + q * (1 + w) * poly_(q * q, T(1. / 12), T(-1. / 720) * (1 + w2),
                                                     T(1. / 30240) * (1 + w2 + w4),
                                                     T(-1. / 1209600) * (1 + w2) * (1 + w4),
                                                     T(1. / 47900160) * (1 + w2 + w4 + w4 * w2 + w4 * w4)));
    const T far = (1 / exp_ratio_(q) - 1 / exp_ratio_(q * w)) / q;
    const T ds = select_(abs_(q) < T(0.3), near, far);
    return ds / p * (expm1_(q) / q) * (exp_(-state) / denominator(state, q));
  }
};

// Families of powers, s = base(v)^p up to a constant: they keep ln u.
struct PowerTConorm {
  static constexpr bool has_p = true;

  template <class T>
  RNDR_HD static bool saturated(T) {
    return false;
  }
  template <class T>
  RNDR_HD static T identity() {
    return -infinity_<T>();
  }
  template <class T>
  RNDR_HD static T combine(T state, T g) {
    return logaddexp_(state, g);
  }
};

// s = v^p, clipped at s(1) = 1; p > 0.
struct Yager : PowerTConorm {
  static constexpr const char* name = "yager";
  static constexpr bool uses_value = true, uses_level = false;

  template <class T>
  RNDR_HD static T generator(T v, T, T p) {
    return p * log_(v);
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    return exp_(min_(state, T(0)) / p);
  }
  template <class T>
  RNDR_HD static bool saturated(T state) {
    return state > T(0);
  }
  template <class T>
  RNDR_HD static T ratio(T v, T, T state, T p) {
    const T r = exp_finite_(power_term_(p, log_(v) - min_(state, T(0)) / p));
    return select_((state < 0) & ((v > 0) | (p == 1)), r, T(0));
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T v, T, T state, T p) {
    const T log_v = log_(v);
    const T r = finite_or_zero_(exp_(min_(p * log_v - state, T(0))) * log_v * value(state, p) / p);
    return select_(state < 0, r, T(0));
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    return -finite_or_zero_(value(state, p) * (min_(state, T(0)) / p) / p);
  }
};

// s = L^p; p > 0. The level of S is u^(1/p).
struct AczelAlsina : PowerTConorm {
  static constexpr const char* name = "aczel_alsina";
  static constexpr bool uses_value = false, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T, T L, T p) {
    return p * log_(L);
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    return -expm1_(-exp_(state / p));
  }
  template <class T>
  RNDR_HD static T ratio(T, T L, T state, T p) {
    const T level = exp_(state / p);
    const T r = exp_finite_(power_term_(p, log_(L) - state / p) + (L - level));
    return select_((level < infinity_<T>()) & ((L > 0) | (p == 1)), r, T(0));
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T, T L, T state, T p) {
    const T log_level = log_(L);
    return finite_or_zero_(exp_(min_(p * log_level - state, T(0))) * log_level * density(state, p) / p);
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    return -finite_or_zero_(state / p * density(state, p) / p);
  }

 private:
  template <class T>
  RNDR_HD static T density(T state, T p) {  // dS / d ln(level)
    const T level = exp_(state / p);
    return level * exp_(-level);
  }
};

// s = o^p with the odds o = v/(1-v); p > 0. The odds of S are u^(1/p).
struct Dombi : PowerTConorm {
  static constexpr const char* name = "dombi";
  static constexpr bool uses_value = true, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T v, T L, T p) {
    return p * (log_(v) + L);
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    const T e = exp_(-abs_(state / p));
    const T low = e / (1 + e);
    return select_(state < 0, low, 1 - low);
  }
  template <class T>
  RNDR_HD static T ratio(T v, T L, T state, T p) {
    const T log_odds = state / p;
    const T r = exp_finite_(power_term_(p, log_(v) + L - log_odds) + 2 * (L - softplus_(log_odds)));
    return select_((L < infinity_<T>()) & (log_odds < infinity_<T>()) & ((v > 0) | (p == 1)), r, T(0));
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T v, T L, T state, T p) {
    const T log_odds = log_(v) + L;
    return finite_or_zero_(exp_(min_(p * log_odds - state, T(0))) * log_odds * density(state, p) / p);
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    return -finite_or_zero_(state / p * density(state, p) / p);
  }

 private:
  template <class T>
  RNDR_HD static T density(T state, T p) {  // dS / d ln(odds) = S (1 - S)
    const T e = exp_(-abs_(state / p));
    return e / ((1 + e) * (1 + e));
  }
};

// s = ((1-v)^p - 1) / (-p) = expm1(k L) / k with k = -p >= 0; k = 0 is the limit s = L.
struct SchweizerSklar : PowerTConorm {
  static constexpr const char* name = "schweizer_sklar";
  static constexpr bool uses_value = false, uses_level = true;

  template <class T>
  RNDR_HD static T generator(T, T L, T p) {
    const T k = exponent(p);
    const T x = k * L;
    const bool small = x < 1;
    const T ratio = expm1_(x) / x;
    const T near = select_(x < Limits<T>::epsilon / 4, L, L * ratio);
    const T far = 1 - exp_(-x);
    return log_(select_(small, near, far)) + select_(small, T(0), x - log_(k));
  }
  template <class T>
  RNDR_HD static T value(T state, T p) {
    return -expm1_(-level_of(state, exponent(p)));
  }
  template <class T>
  RNDR_HD static T ratio(T, T L, T state, T p) {
    const T k = exponent(p);
    const T r = exp_(min_((1 + k) * (L - level_of(state, k)), T(0)));
    return select_(L < infinity_<T>(), r, T(0));
  }
  template <class T>
  RNDR_HD static T dgenerator_dp(T, T L, T state, T p) {
    return finite_or_zero_(slope(L, state, exponent(p)));
  }
  template <class T>
  RNDR_HD static T dvalue_dp(T state, T p) {
    const T k = exponent(p);
    return -finite_or_zero_(slope(level_of(state, k), state, k));
  }

 private:
  // k; its formulas hold in the limit for any k so small that k L matters only where S is 1 in every precision.
  template <class T>
  RNDR_HD static T exponent(T p) {
    return max_(-p, T(1e-30));
  }
  // -ln(1 - S) = ln(1 + k u) / k.
  template <class T>
  RNDR_HD static T level_of(T state, T k) {
    const T u = exp_(state);
    const T x = k * u;
    const T near = select_(x < Limits<T>::epsilon / 4, u, u * (log1p_(x) / x));
    const T far = softplus_(log_(k) + state) / k;  // u may have left the range
    return select_(x < 1, near, far);
  }
  // (ds/dp)(v) / s'(S) = -L^2 chi(k L) exp(k L - (1 + k) level(S)), chi(x) = (x - 1 + exp(-x)) / x^2.
  template <class T>
  RNDR_HD static T slope(T L, T state, T k) {
    const T x = k * L;
    const T series = poly_(x, T(1. / 2), T(-1. / 6), T(1. / 24), T(-1. / 120), T(1. / 720), T(-1. / 5040), T(1. / 40320),
                           T(-1. / 362880), T(1. / 3628800), T(-1. / 39916800));
    const T general = (x + expm1_(-x)) / (x * x);
    const T chi = select_(x < T(0.25), series, general);
    const T a = L * exp_(T(0.5) * (x - (1 + k) * level_of(state, k)));  // squared in two steps: L^2 may overflow
    return -a * a * chi;
  }
};

using TConorms =
    TypeList<Max, Probabilistic, Einstein, Hamacher, Frank, Yager, AczelAlsina, Dombi, SchweizerSklar>;

RNDR_NAMESPACE_END
