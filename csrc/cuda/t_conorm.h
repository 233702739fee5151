// T-conorms as objects that kernels take: one compiled into the kernel, or any of them behind calls.
//
// A kernel for every pair of a distribution and a T-conorm would be 171 in each precision, half an hour of nvcc. The usual T-conorm is
// compiled in; the others share one function each, which all threads call with the same index.
#pragma once
#include <stdexcept>
#include <string>

#include "raster/coverage.h"
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct Accumulated {
  T state, ties;
};

template <class S>
struct OneTConorm {
  static constexpr bool exact = false;  // whether it compares coverages for equality
  static_assert(!counts_ties<S>, "what compares coverages is left to AnyTConorm");

  RNDR_HD bool uses_value() const { return S::uses_value; }
  RNDR_HD bool uses_level() const { return S::uses_level; }
  RNDR_HD bool has_p() const { return S::has_p; }
  template <class T>
  __device__ T identity() const { return S::template identity<T>(); }
  template <class T>
  __device__ Accumulated<T> add(T v, T level, T p, Accumulated<T> sum) const {
    accumulate<S>(v, level, p, sum.state, sum.ties);
    return sum;
  }
  template <class T>
  __device__ Accumulated<T> merge(Accumulated<T> more, Accumulated<T> sum) const {
    rndr::merge<S>(more.state, more.ties, sum.state, sum.ties);
    return sum;
  }
  template <class T>
  __device__ bool saturated(T state) const { return S::saturated(state); }
  template <class T>
  __device__ T value(T state, T p) const { return S::value(state, p); }
  template <class T>
  __device__ T slope(T v, T level, T state, T ties, T p) const { return aggregate_slope<S>(v, level, state, ties, p); }
  template <class T>
  __device__ T dgenerator_dp(T v, T level, T state, T p) const { return S::dgenerator_dp(v, level, state, p); }
  template <class T>
  __device__ T dvalue_dp(T state, T p) const { return S::dvalue_dp(state, p); }
};

template <class T>
RNDR_DEVICE_NOINLINE T identity_of(int index) {
  T r{};
  at_index(TConorms{}, index, [&](auto s) { r = decltype(s)::template identity<T>(); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE Accumulated<T> accumulate_any(int index, T v, T level, T p, Accumulated<T> sum) {
  at_index(TConorms{}, index, [&](auto s) { accumulate<decltype(s)>(v, level, p, sum.state, sum.ties); });
  return sum;
}
template <class T>
RNDR_DEVICE_NOINLINE Accumulated<T> merge_any(int index, Accumulated<T> more, Accumulated<T> sum) {
  at_index(TConorms{}, index, [&](auto s) { merge<decltype(s)>(more.state, more.ties, sum.state, sum.ties); });
  return sum;
}
template <class T>
RNDR_DEVICE_NOINLINE bool saturated_any(int index, T state) {
  bool r = false;
  at_index(TConorms{}, index, [&](auto s) { r = decltype(s)::saturated(state); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T value_of(int index, T state, T p) {
  T r{};
  at_index(TConorms{}, index, [&](auto s) { r = decltype(s)::value(state, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T slope_of(int index, T v, T level, T state, T ties, T p) {
  T r{};
  at_index(TConorms{}, index, [&](auto s) { r = aggregate_slope<decltype(s)>(v, level, state, ties, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T dgenerator_dp_of(int index, T v, T level, T state, T p) {
  T r{};
  at_index(TConorms{}, index, [&](auto s) { r = decltype(s)::dgenerator_dp(v, level, state, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T dvalue_dp_of(int index, T state, T p) {
  T r{};
  at_index(TConorms{}, index, [&](auto s) { r = decltype(s)::dvalue_dp(state, p); });
  return r;
}

struct AnyTConorm {
  static constexpr bool exact = true;
  int index;
  bool value_used, level_used, parameter;

  RNDR_HD bool uses_value() const { return value_used; }
  RNDR_HD bool uses_level() const { return level_used; }
  RNDR_HD bool has_p() const { return parameter; }
  template <class T>
  __device__ T identity() const { return identity_of<T>(index); }
  template <class T>
  __device__ Accumulated<T> add(T v, T level, T p, Accumulated<T> sum) const { return accumulate_any(index, v, level, p, sum); }
  template <class T>
  __device__ Accumulated<T> merge(Accumulated<T> more, Accumulated<T> sum) const { return merge_any(index, more, sum); }
  template <class T>
  __device__ bool saturated(T state) const { return saturated_any(index, state); }
  template <class T>
  __device__ T value(T state, T p) const { return value_of(index, state, p); }
  template <class T>
  __device__ T slope(T v, T level, T state, T ties, T p) const { return slope_of(index, v, level, state, ties, p); }
  template <class T>
  __device__ T dgenerator_dp(T v, T level, T state, T p) const { return dgenerator_dp_of(index, v, level, state, p); }
  template <class T>
  __device__ T dvalue_dp(T state, T p) const { return dvalue_dp_of(index, state, p); }
};

// The T-conorm of that name.
inline AnyTConorm any_t_conorm(const char* name) {
  AnyTConorm any{-1, false, false, false};
  int index = 0;
  for_each_type(TConorms{}, [&](auto s) {
    using S = decltype(s);
    if (same_name(S::name, name)) any = {index, S::uses_value, S::uses_level, S::has_p};
    ++index;
  });
  if (any.index < 0) throw std::invalid_argument("t_conorm: unknown name '" + std::string(name) + "'");
  return any;
}

RNDR_NAMESPACE_END
