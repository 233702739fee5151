// Host/device qualifier and the namespace that keeps SIMD levels apart.
#pragma once

#if defined(__CUDACC__)
#define RNDR_HD __host__ __device__ __forceinline__
// What runs much longer than a call takes: kernels share one copy, or nvcc would spend minutes on many.
#define RNDR_HD_LONG inline __host__ __device__ __noinline__
#else
// One call that is not inlined keeps a whole loop from being vectorised.
#define RNDR_HD inline __attribute__((always_inline))
#define RNDR_HD_LONG RNDR_HD
#endif

// Every header is compiled once for each SIMD level. Inline functions of two levels must never be merged by the
// linker (a base-level caller would run AVX-512 code), so the level is part of every name.
#ifndef RNDR_LEVEL_NS
#define RNDR_LEVEL_NS level_base
#endif
#define RNDR_NAMESPACE_BEGIN \
  namespace rndr {           \
  inline namespace RNDR_LEVEL_NS {
#define RNDR_NAMESPACE_END \
  }                        \
  }
