// Elementary and special functions for host and device, float and double.
//
// float: our own branch-free polynomials (about 1e-7 relative), so that loops over pixels vectorise at every SIMD
// level. double: the C library, accuracy first.
// Never compile this header with -ffast-math: the error-free transformations below would be optimised away.
//
// Names end in an underscore to keep clear of the C library's.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

constexpr double kPi = 3.14159265358979323846;
constexpr double kLn2 = 0.69314718055994530942;
constexpr double kInvSqrt2 = 0.70710678118654752440;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;

template <class T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float epsilon = 1.1920929e-7f;
  static constexpr float smallest = 1.17549435e-38f;  // smallest normal number
  static constexpr float log_largest = 87.f;          // exp of it is still finite
};
template <>
struct Limits<double> {
  static constexpr double epsilon = 2.220446049250313e-16;
  static constexpr double smallest = 2.2250738585072014e-308;
  static constexpr double log_largest = 708.;
};

// a b - c d with each product rounded by itself: 0 where they are equal. With one of them fused it would be the other's rounding error.
RNDR_HD double difference_of_products(double a, double b, double c, double d) {
#if defined(__CUDA_ARCH__)
  return __dsub_rn(__dmul_rn(a, b), __dmul_rn(c, d));
#else
  return a * b - c * d;
#endif
}

template <class T>
RNDR_HD T infinity_() {
  return T(INFINITY);
}
template <class T>
RNDR_HD T abs_(T x) {
  return x < T(0) ? -x : x;
}
// A NaN in the second argument comes through.
template <class T>
RNDR_HD T min_(T a, T b) {
  return a < b ? a : b;
}
template <class T>
RNDR_HD T max_(T a, T b) {
  return a > b ? a : b;
}
RNDR_HD float sqrt_(float x) { return ::sqrtf(x); }
RNDR_HD double sqrt_(double x) { return ::sqrt(x); }

RNDR_HD int32_t bits_of(float x) {
  int32_t i;
  memcpy(&i, &x, 4);
  return i;
}
RNDR_HD float float_of(int32_t i) {
  float x;
  memcpy(&x, &i, 4);
  return x;
}

// condition ? a : b, both sides computed. A float ternary would do, but from constants such as the infinity of log(0)
// g++ derives branches around the code that follows, and then loops over it do not vectorise.
RNDR_HD float select_(bool condition, float a, float b) {
#if defined(__CUDA_ARCH__)
  return condition ? a : b;
#else
  const int32_t mask = -int32_t(condition);
  return float_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
#endif
}
RNDR_HD double select_(bool condition, double a, double b) { return condition ? a : b; }

// Horner's rule, coefficients from the constant term upwards: poly_(x, c0, c1, c2) = c0 + c1 x + c2 x^2.
template <class T>
RNDR_HD T poly_(T, T c0) {
  return c0;
}
template <class T, class... C>
RNDR_HD T poly_(T x, T c0, C... rest) {
  return c0 + x * poly_(x, rest...);
}

// ---------------------------------------------------------------------------------------------- exp, expm1

// Splits x = n ln 2 + f with |f| <= ln 2 / 2 and returns f; n is rounded by adding 1.5 * 2^23, which also leaves it in
// the low bits of the sum, so no conversion (undefined for NaN) is needed.
RNDR_HD float reduce_exp(float x, int32_t& n) {
  const float magic = 12582912.f;
  const float shifted = x * 1.44269504f + magic;
  n = bits_of(shifted) - 0x4b400000;
  const float k = shifted - magic;
  return (x - k * 0.693145752f) - k * 1.42860677e-6f;
}
RNDR_HD float power_of_two(int32_t n) { return float_of(int32_t(uint32_t(n + 127) << 23)); }  // -126 <= n <= 127
RNDR_HD float expm1_reduced(float f) {                                            // |f| <= ln 2 / 2
  return f + f * f * poly_(f, 0.5f, 0.1666657606f, 0.04166655346f, 0.008363333082f, 0.0013926376f);
}

// exp(x + tail) for |tail| <= 0.1: the tail carries the part of an exponent that a float cannot hold.
RNDR_HD float exp_sum_(float x, float tail) {
  const float clamped = min_(90.f, max_(-105.f, x));  // exp is 0 and inf beyond
  int32_t n;
  const float f = reduce_exp(clamped, n) + tail;
  const int32_t half = n >> 1;  // two factors, so that denormal results and overflow come out right
  return (1.f + expm1_reduced(f)) * power_of_two(half) * power_of_two(n - half);
}
RNDR_HD float exp_(float x) { return exp_sum_(x, 0.f); }
RNDR_HD double exp_(double x) { return ::exp(x); }

RNDR_HD float expm1_(float x) {
  const float clamped = min_(89.f, max_(-20.f, x));  // beyond 89 the halved power of two would leave its range
  int32_t n;
  const float f = reduce_exp(clamped, n);
  const float s = power_of_two(n - 1);  // half of 2^n, which may be too large
  return 2.f * (s * expm1_reduced(f) + (s - 0.5f));
}
RNDR_HD double expm1_(double x) { return ::expm1(x); }

// ---------------------------------------------------------------------------------------------- log, log1p

// log(u + c) for |c| << u (0 for denormal u): c carries the rounding error of u, so that log1p(x) = log_sum_(1 + x, error).
RNDR_HD float log_sum_(float u, float c) {
  const bool tiny = u < Limits<float>::smallest;
  const int32_t i = bits_of(select_(tiny, u * 33554432.f, u));  // 2^25: denormal to normal
  const int32_t e = int32_t(uint32_t(i) - 0x3f3504f3u) >> 23;    // so that the mantissa lies in [1/sqrt 2, sqrt 2)
  const float mantissa = float_of(int32_t(uint32_t(i) - (uint32_t(e) << 23)));
  const float scale = power_of_two(e < 126 ? -e : -126);  // beyond, c is far too small to matter
  const float m = (mantissa - 1.f) + c * scale;
  const float k = float(e - (tiny ? 25 : 0));
  const float tail = m * m * m *
                     poly_(m, 0.3333333117f, -0.2499999691f, 0.200007172f, -0.1666780858f, 0.1424900932f,
                           -0.1242548656f, 0.1168571964f, -0.1148147724f, 0.06973070409f);
  const float r = k * 0.693145752f + (m + (k * 1.42860677e-6f + (tail - 0.5f * m * m)));
  const float not_positive = select_(u == 0.f, -infinity_<float>(), float(NAN));
  return select_(u > 0.f, select_(u < infinity_<float>(), r, u), not_positive);
}
RNDR_HD double log_sum_(double u, double c) { return u > 0. && u < infinity_<double>() ? ::log(u) + c / u : ::log(u); }

RNDR_HD float log_(float x) { return log_sum_(x, 0.f); }
RNDR_HD double log_(double x) { return ::log(x); }
RNDR_HD float log1p_(float x) {
  const float u = 1.f + x;
  return log_sum_(u, x - (u - 1.f));
}
RNDR_HD double log1p_(double x) { return ::log1p(x); }

// log1p for 0 <= x <= 1, half the work: 2 artanh(x / (2 + x)).
RNDR_HD float log1p_unit_(float x) {
  const float s = x / (2.f + x), s2 = s * s;
  return 2.f * s + s * s2 * poly_(s2, 0.6666664034f, 0.4000756064f, 0.2823661981f, 0.2685149802f);
}
RNDR_HD double log1p_unit_(double x) { return ::log1p(x); }

// ln(1 - exp(-a)), a >= 0, with full relative precision at both ends.
template <class T>
RNDR_HD T log1mexp_(T a) {
  const T e = exp_(-a);
  const T u = 1 - e;
  const bool small = a < T(kLn2);
  return log_sum_(select_(small, -expm1_(-a), u), select_(small, T(0), (T(1) - u) - e));
}

// ln(1 + exp(a)).
template <class T>
RNDR_HD T softplus_(T a) {
  return max_(T(0), a) + log1p_unit_(exp_(-abs_(a)));
}

// ln(exp(a) + exp(b)), also for -inf (an empty sum) and inf.
template <class T>
RNDR_HD T logaddexp_(T a, T b) {
  const T m = max_(a, b);
  const T d = abs_(a - b);
  const T r = m + log1p_unit_(exp_(-d));
  return select_(abs_(m) < infinity_<T>(), r, m);
}

// (1 - exp(-x)) / x: 1 at 0.
template <class T>
RNDR_HD T exp_ratio_(T x) {
  const T r = -expm1_(-x) / x;
  return select_(abs_(x) < Limits<T>::epsilon / 4, T(1), r);
}

// ---------------------------------------------------------------------------------------------- atan, circle

// atan(r) / r for 0 <= r <= 1: 1 at 0.
RNDR_HD float atan_ratio_(float r) {
  return poly_(r * r, 0.9999999972f, -0.3333327629f, 0.1999807528f, -0.1426001608f, 0.109323415f, -0.08349724968f,
               0.05708955593f, -0.03035186479f, 0.01048764925f, -0.001701170064f);
}
RNDR_HD double atan_ratio_(double r) { return r < 1e-9 ? 1. : ::atan(r) / r; }

// Area of the circular segment of height h (0 <= h <= 1) over the area of the unit disk: (acos x - x sqrt(1 - x^2)) / pi
// with x = 1 - h, without the cancellation of that form.
RNDR_HD float circle_segment_(float h) {
  return h * sqrt_(h) * poly_(h, 0.6002108784f, -0.09003175227f, -0.008036044938f, -0.001582390145f, -0.0003274523796f,
                              -0.0002600988761f, 0.0001067399566f, -7.987814973e-5f);
}
RNDR_HD double circle_segment_(double h) {
  const double a = 4. * ::asin(::sqrt(0.5 * h));  // the angle that the segment subtends
  double r = 1.;                                  // a - sin a = a^3/6 (1 - a^2/20 (1 - a^2/42 (1 - ...)))
  for (int k = 31; k >= 5; k -= 2) r = 1. - a * a / (k * (k - 1)) * r;
  return a * a * a * r / (12. * kPi);
}

// ---------------------------------------------------------------------------------------------- normal tail

// exp(z^2/2) P(N > z) for z >= 0, N standard normal.
RNDR_HD float scaled_normal_tail_(float z) {
  const float t = 1.f / (1.f + 0.3f * z);
  return t * poly_(t, 0.119682688f, 0.1196817432f, 0.108947781f, 0.08683051539f, 0.06186449748f, 0.01101760892f,
                   0.03437217478f, -0.04890739241f, -0.01604549726f, 0.0318847458f, -0.009328870613f);
}
RNDR_HD double scaled_normal_tail_(double z) {
  if (z < 20.) return 0.5 * ::exp(0.5 * z * z) * ::erfc(z * kInvSqrt2);
  const double r = 1. / (z * z);
  double s = 1.;  // asymptotic series 1 - r (1 - 3 r (1 - 5 r (...)))
  for (int k = 21; k >= 1; k -= 2) s = 1. - k * r * s;
  return kInvSqrt2Pi / z * s;
}

// P(N > z) for z >= 0. The square is split into an exact part and a small rest, else its rounding would cost 1e-5.
RNDR_HD float normal_tail_(float z) {
  const float t = min_(64.f, z);
  const float head = float_of(bits_of(t) & ~0xfff);  // 12 bits: its square is exact
  return exp_sum_(-0.5f * head * head, -0.5f * (t - head) * (t + head)) * scaled_normal_tail_(t);
}
RNDR_HD double normal_tail_(double z) { return 0.5 * ::erfc(z * kInvSqrt2); }

// P(|N| < w) / w for 0 <= w <= 1.
RNDR_HD float normal_centre_ratio_(float w) {
  return poly_(w * w, 0.7978845603f, -0.1329807211f, 0.01994665696f, -0.002372687978f, 0.0002270045924f,
               -1.532107634e-5f);
}
RNDR_HD double normal_centre_ratio_(double w) { return w < 1e-9 ? 2. * kInvSqrt2Pi : ::erf(w * kInvSqrt2) / w; }

// ---------------------------------------------------------------------------------------------- gamma functions

// Stirling's correction: ln Gamma(a) = (a - 1/2) ln a - a + ln(2 pi)/2 + stirling_(a), for a >= 10.
RNDR_HD double stirling_(double a) {
  const double r = 1. / (a * a);
  return poly_(r, 1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156) / a;
}

// ln Gamma(a), a > 0. The C library's lgamma writes a global variable.
RNDR_HD double lgamma_(double a) {
  double product = 1.;
  for (; a < 10.; a += 1.) product *= a;
  return (a - 0.5) * ::log(a) - a + 0.5 * ::log(2. * kPi) + stirling_(a) - ::log(product);
}

// Digamma, a > 0.
RNDR_HD double digamma_(double a) {
  double sum = 0.;
  for (; a < 10.; a += 1.) sum += 1. / a;
  const double r = 1. / (a * a);
  return ::log(a) - 0.5 / a -
         r * poly_(r, 1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12) - sum;
}

// ln(x^a e^-x / Gamma(a)).
RNDR_HD_LONG double log_gamma_prefactor_(double a, double x) {
  if (a < 10.) return a * ::log(x) - x - lgamma_(a);
  const double m = (x - a) / a;  // a ln x - x - lgamma(a) cancels for large a
  const double log_x_over_a = m < -0.5 ? ::log(x / a) : ::log1p(m);
  return 0.5 * ::log(a / (2. * kPi)) - a * (m - log_x_over_a) - stirling_(a);
}

// One tail of the gamma distribution with shape a at x > 0: the lower, P, where x < a + 1 (power series), else the upper,
// Q (Legendre's continued fraction by Lentz's method): each is small there, so its logarithm keeps its precision.
struct GammaTail {
  bool lower;
  double log_tail;   // ln P or ln Q
  double dlog_da;    // its derivative in a
};

RNDR_HD_LONG GammaTail gamma_tail_(double a, double x, double tolerance) {
  const int limit = 1000000;  // never reached: about 10 sqrt(a) terms are needed
  const double log_prefactor = log_gamma_prefactor_(a, x);
  if (x < a + 1.) {
    double term = 1., dterm = 0., sum = 1., dsum = 0.;  // sum_n x^n / ((a+1) ... (a+n)) and its derivative in a
    for (int n = 1; n < limit; ++n) {
      term *= x / (a + n);
      dterm = (x * dterm - term) / (a + n);
      sum += term;
      dsum += dterm;
      if (term <= tolerance * sum && -dterm <= tolerance * (1. - dsum)) break;
    }
    return {true, log_prefactor - ::log(a) + ::log(sum), ::log(x) - digamma_(a + 1.) + dsum / sum};
  }
  double b = x + 1. - a, d = 1. / b, dd = d * d, c = b, dc = -1., h = d, dlog_h = dd * b;
  // After the leading 1/b the ratios of successive convergents are c d; c starts as "infinite", whose first step is c = b.
  bool first = true;
  for (int i = 1; i < limit; ++i) {
    const double an = -i * (i - a);
    b += 2.;
    const double d_next = 1. / (an * d + b);
    dd = -d_next * d_next * (i * d + an * dd - 1.);
    d = d_next;
    if (first) {
      c = b;
      dc = -1.;
      first = false;
    } else {
      dc = -1. + i / c - an * dc / (c * c);
      c = b + an / c;
    }
    const double ratio = c * d, dlog_ratio = dd / d + dc / c;
    h *= ratio;
    dlog_h += dlog_ratio;
    if (abs_(ratio - 1.) <= tolerance && abs_(dlog_ratio) <= tolerance * (1. + abs_(dlog_h))) break;
  }
  return {false, log_prefactor + ::log(h), ::log(x) - digamma_(a) + dlog_h};
}

// Stopping tolerance of the expansions for results of type T.
template <class T>
RNDR_HD double gamma_tolerance_() {
  return 0.25 * Limits<T>::epsilon;
}

// Regularised incomplete gamma functions of shape a > 0; x <= 0 (and what underflows) counts as 0.
// `upper` selects Q = 1 - P.
template <class T>
RNDR_HD T gamma_probability_(T a, T x, bool upper) {
  if (!(x > Limits<T>::smallest)) return upper ? T(1) : T(0);
  if (!(x < infinity_<T>())) return upper ? T(0) : T(1);
  const GammaTail t = gamma_tail_(double(a), double(x), gamma_tolerance_<T>());
  return T(t.lower != upper ? ::exp(t.log_tail) : -::expm1(t.log_tail));
}

// -ln P(a, x), or -ln Q(a, x) if `upper`.
template <class T>
RNDR_HD T gamma_level_(T a, T x, bool upper) {
  if (!(x > Limits<T>::smallest)) return upper ? T(0) : infinity_<T>();
  if (!(x < infinity_<T>())) return upper ? infinity_<T>() : T(0);
  const GammaTail t = gamma_tail_(double(a), double(x), gamma_tolerance_<T>());
  return T(t.lower != upper ? -t.log_tail : -log1mexp_(-t.log_tail));
}

// dP/da = -dQ/da.
template <class T>
RNDR_HD T gamma_probability_da_(T a, T x) {
  if (!(x > Limits<T>::smallest && x < infinity_<T>())) return T(0);
  const GammaTail t = gamma_tail_(double(a), double(x), gamma_tolerance_<T>());
  const double slope = ::exp(t.log_tail) * t.dlog_da;
  return T(t.lower ? slope : -slope);
}

// dP/dx, the density.
template <class T>
RNDR_HD T gamma_density_(T a, T x) {
  if (!(x > Limits<T>::smallest && x < infinity_<T>())) return T(0);
  return T(::exp(log_gamma_prefactor_(double(a), double(x)) - ::log(double(x))));
}

RNDR_NAMESPACE_END
