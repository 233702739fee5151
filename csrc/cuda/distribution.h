// Distributions as objects that kernels take: one compiled into the kernel, which is the struct itself, or any of them behind calls.
//
// A kernel for each distribution is worth it where every pair of a pixel and a face costs little more than its coverage. Elsewhere a call,
// for which all threads take the same turn, is lost in the rest, and nineteen kernels in each precision become one.
#pragma once
#include <stdexcept>
#include <string>

#include "relax/distributions.h"
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

template <class T>
RNDR_DEVICE_NOINLINE T cdf_of(int index, T z, DistributionParams<T> p) {
  T r{};
  at_index(Distributions{}, index, [&](auto d) { r = decltype(d)::cdf(z, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T level_of(int index, T z, DistributionParams<T> p) {
  T r{};
  at_index(Distributions{}, index, [&](auto d) { r = decltype(d)::level(z, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T pdf_of(int index, T z, DistributionParams<T> p) {
  T r{};
  at_index(Distributions{}, index, [&](auto d) { r = decltype(d)::pdf(z, p); });
  return r;
}
template <class T>
RNDR_DEVICE_NOINLINE T dcdf_dshape_of(int index, T z, DistributionParams<T> p) {
  T r{};
  at_index(Distributions{}, index, [&](auto d) { r = decltype(d)::dcdf_dshape(z, p); });
  return r;
}

struct AnyDistribution {
  int index;
  bool has_shape;
  int shift_sign;

  template <class T>
  __device__ T cdf(T z, const DistributionParams<T>& p) const { return cdf_of(index, z, p); }
  template <class T>
  __device__ T level(T z, const DistributionParams<T>& p) const { return level_of(index, z, p); }
  template <class T>
  __device__ T pdf(T z, const DistributionParams<T>& p) const { return pdf_of(index, z, p); }
  template <class T>
  __device__ T dcdf_dshape(T z, const DistributionParams<T>& p) const { return dcdf_dshape_of(index, z, p); }
};

// The distribution of that name.
inline AnyDistribution any_distribution(const char* name) {
  AnyDistribution any{-1, false, 0};
  int index = 0;
  for_each_type(Distributions{}, [&](auto d) {
    using D = decltype(d);
    if (same_name(D::name, name)) any = {index, D::has_shape, D::shift_sign};
    ++index;
  });
  if (any.index < 0) throw std::invalid_argument("distribution: unknown name '" + std::string(name) + "'");
  return any;
}

RNDR_NAMESPACE_END
