// Compiled once per SIMD level (RNDR_LEVEL_NS): loops over buffers around the formulas of the shared headers.
#include "cpu/kernels.h"

#include "math/triangle.h"
#include "raster/outline.h"
#include "relax/distributions.h"
#include "relax/t_conorms.h"
#include "support/type_list.h"

RNDR_NAMESPACE_BEGIN

template <class T>
ColourKernels<T> colour_kernels();  // cpu/colour_kernels.cpp
template <class T>
VisibilityKernels<T> visibility_kernels();  // cpu/visibility_kernels.cpp
template <class T>
SortKernels<T> sort_kernels();  // cpu/sort_kernels.cpp
template <class T>
LogicKernels<T> logic_kernels();  // cpu/logic_kernels.cpp
BitKernels bit_kernels();         // cpu/bit_kernels.cpp

namespace {

template <class T>
DistributionParams<T> params_of(const CoverageParams<T>& c) {
  return {T(1) / c.inverse_scale, c.shape, c.shift};
}

// ---- geometry -------------------------------------------------------------------------------------------------

template <class T, bool squared>
void z_loop(const LocalTriangle<T>& t, const Rect& r, T inverse_scale, T* z) {
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    T* out = z + row * r.width;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      bool inside;
      const T d2 = boundary_distance2(t, T(r.x0 + i) + T(0.5), y, inside);
      out[i] = standardise(d2, inside, squared, inverse_scale);
    }
  }
}

template <class T>
void z_kernel(const void* local, const Rect& r, const CoverageParams<T>& c, T* z) {
  const auto& t = *static_cast<const LocalTriangle<T>*>(local);
  c.squared ? z_loop<T, true>(t, r, c.inverse_scale, z) : z_loop<T, false>(t, r, c.inverse_scale, z);
}

template <class T, bool squared>
void backward_loop(const LocalTriangle<T>& t, const Rect& r, T inverse_scale, GeometryBuffers<T>& b) {
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    const int at = row * r.width;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const Nearest<T> n = nearest_boundary_point(t, T(r.x0 + i) + T(0.5), y);
      const T dz = standardise_slope(sqrt_(n.distance2), squared, inverse_scale);
      b.z[at + i] = standardise(n.distance2, n.inside, squared, inverse_scale);
      b.lambda0[at + i] = n.lambda0;
      b.lambda1[at + i] = n.lambda1;
      b.hx[at + i] = n.hx * dz;
      b.hy[at + i] = n.hy * dz;
    }
  }
}

template <class T>
void backward_kernel(const void* local, const Rect& r, const CoverageParams<T>& c, GeometryBuffers<T>& b) {
  const auto& t = *static_cast<const LocalTriangle<T>*>(local);
  c.squared ? backward_loop<T, true>(t, r, c.inverse_scale, b) : backward_loop<T, false>(t, r, c.inverse_scale, b);
}

template <class T>
void reduce_kernel(int n, const GeometryBuffers<T>& b, const T* weight, T inverse_scale, FaceGradient<T>& out) {
  T x0 = 0, y0 = 0, x1 = 0, y1 = 0, x = 0, y = 0, scale = 0, shift = 0;
#pragma omp simd reduction(+ : x0, y0, x1, y1, x, y, scale, shift)
  for (int i = 0; i < n; ++i) {
    const T wx = weight[i] * b.hx[i], wy = weight[i] * b.hy[i];
    x0 += wx * b.lambda0[i];
    y0 += wy * b.lambda0[i];
    x1 += wx * b.lambda1[i];
    y1 += wy * b.lambda1[i];
    x += wx;
    y += wy;
    // A weight of 0 must win over an infinite z.
    scale += weight[i] == T(0) ? T(0) : weight[i] * b.z[i];
    shift += weight[i];
  }
  out.vertex[0] += x0, out.vertex[1] += y0;
  out.vertex[2] += x1, out.vertex[3] += y1;
  out.vertex[4] += x - x0 - x1, out.vertex[5] += y - y0 - y1;
  out.scale -= scale * inverse_scale;  // z is proportional to 1 / scale
  out.shift += shift;
}

template <class T>
void nearest_segment_kernel(const PixelSegments<T>& s, int index, const Rect& r, int stride, T* distance2, int* nearest) {
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    T* best = distance2 + (r.y0 + row) * stride + r.x0;
    int* best_index = nearest + (r.y0 + row) * stride + r.x0;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const T d2 = segment_distance2(s.ax, s.ay, s.tx, s.ty, s.length, T(r.x0 + i) + T(0.5), y);
      const bool closer = d2 < best[i];
      best[i] = closer ? d2 : best[i];
      best_index[i] = closer ? index : best_index[i];
    }
  }
}

// ---- distributions --------------------------------------------------------------------------------------------

template <class D, class T>
void cdf_kernel(int n, const T* z, const CoverageParams<T>& c, T* v) {
  const DistributionParams<T> p = params_of(c);
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    const T F = D::cdf(z[i], p);
    v[i] = z[i] >= c.lowest ? F : T(0);
  }
}

template <class D, class T>
void level_kernel(int n, const T* z, const CoverageParams<T>& c, T* level) {
  const DistributionParams<T> p = params_of(c);
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    const T L = D::level(z[i], p);
    level[i] = z[i] >= c.lowest ? L : T(0);
  }
}

template <class D, class T>
void pdf_kernel(int n, const T* z, const CoverageParams<T>& c, T* f) {
  const DistributionParams<T> p = params_of(c);
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    const T density = D::pdf(z[i], p);
    f[i] = z[i] >= c.lowest ? density : T(0);
  }
}

template <class D, class T>
void dshape_kernel(int n, const T* z, const CoverageParams<T>& c, T* df) {
  const DistributionParams<T> p = params_of(c);
  for (int i = 0; i < n; ++i) df[i] = z[i] >= c.lowest ? D::dcdf_dshape(z[i], p) : T(0);
}

template <class D>
double outer_radius(double eps, double shape, double shift) {
  return D::outer(eps, DistributionParams<double>{1.0, shape, shift});
}

template <class D>
double inner_radius(double eps, double shape, double shift) {
  return D::inner(eps, DistributionParams<double>{1.0, shape, shift});
}

template <class T, class... Ds>
const DistributionKernels<T>* distribution_kernels(TypeList<Ds...>) {
  static const DistributionKernels<T> kernels[] = {
      {Ds::name, Ds::has_shape, Ds::has_shift, outer_radius<Ds>, inner_radius<Ds>, cdf_kernel<Ds, T>,
       level_kernel<Ds, T>, pdf_kernel<Ds, T>, dshape_kernel<Ds, T>, T(Ds::shift_sign)}...};
  return kernels;
}

// ---- T-conorms ------------------------------------------------------------------------------------------------

template <class S, class T>
void accumulate_kernel(const Rect& r, int stride, const T* v, const T* level, T p, T* state, T* ties) {
  for (int row = 0; row < r.height; ++row) {
    T* out = state + (r.y0 + row) * stride + r.x0;
    const T* v_row = v + row * r.width;
    const T* level_row = level + row * r.width;
    T* count = counts_ties<S> ? ties + (r.y0 + row) * stride + r.x0 : nullptr;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      if constexpr (counts_ties<S>) {
        accumulate<S>(v_row[i], level_row[i], p, out[i], count[i]);
      } else {
        T none = T(0);
        accumulate<S>(v_row[i], level_row[i], p, out[i], none);
      }
    }
  }
}

template <class S, class T>
void value_kernel(int n, const T* state, T p, T* out) {
#pragma omp simd
  for (int i = 0; i < n; ++i) out[i] = S::value(state[i], p);
}

template <class S, class T>
void weights_kernel(const Rect& r, int stride, const T* v, const T* level, const T* f, const T* df_dshape,
                    const T* state, const T* ties, const T* grad, T p, T* weight, T* sum_p, T* sum_shape) {
  T total_p = 0, total_shape = 0;
  for (int row = 0; row < r.height; ++row) {
    const int at = row * r.width, pixel = (r.y0 + row) * stride + r.x0;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const T equals = counts_ties<S> ? ties[pixel + i] : T(1);
      const T slope = aggregate_slope<S>(v[at + i], level[at + i], state[pixel + i], equals, p);
      // Outside the support f is 0, and there the slope may be anything.
      weight[at + i] = f[at + i] != T(0) ? grad[pixel + i] * slope * f[at + i] : T(0);
    }
    if (df_dshape) {
      for (int i = 0; i < r.width; ++i) {
        if (df_dshape[at + i] == T(0)) continue;
        const T equals = counts_ties<S> ? ties[pixel + i] : T(1);
        const T slope = aggregate_slope<S>(v[at + i], level[at + i], state[pixel + i], equals, p);
        total_shape += grad[pixel + i] * slope * df_dshape[at + i];
      }
    }
    if constexpr (S::has_p) {
#pragma omp simd reduction(+ : total_p)
      for (int i = 0; i < r.width; ++i)
        total_p += grad[pixel + i] * S::dgenerator_dp(v[at + i], level[at + i], state[pixel + i], p);
    }
  }
  *sum_p += total_p;
  *sum_shape += total_shape;
}

template <class S, class T>
void dvalue_dp_kernel(int n, const T* state, T p, T* out) {
#pragma omp simd
  for (int i = 0; i < n; ++i) out[i] = S::dvalue_dp(state[i], p);
}

template <class T, class... Ss>
const TConormKernels<T>* t_conorm_kernels(TypeList<Ss...>) {
  static const TConormKernels<T> kernels[] = {
      {Ss::name, Ss::has_p, Ss::uses_value, Ss::uses_level, counts_ties<Ss>, Ss::template identity<T>(),
       accumulate_kernel<Ss, T>, value_kernel<Ss, T>, weights_kernel<Ss, T>, dvalue_dp_kernel<Ss, T>}...};
  return kernels;
}

template <class T>
KernelTable<T> kernel_table() {
  return {{z_kernel<T>, backward_kernel<T>, reduce_kernel<T>, nearest_segment_kernel<T>},
          colour_kernels<T>(),
          visibility_kernels<T>(),
          sort_kernels<T>(),
          logic_kernels<T>(),
          distribution_kernels<T>(Distributions{}),
          t_conorm_kernels<T>(TConorms{})};
}

}  // namespace

#define RNDR_STRING_(x) #x
#define RNDR_STRING(x) RNDR_STRING_(x)

const Level& this_level() {
  // The name without the "level_" of the namespace.
  static const Level level = {&RNDR_STRING(RNDR_LEVEL_NS)[6], Distributions::size, TConorms::size,
                              kernel_table<float>(), kernel_table<double>(), bit_kernels()};
  return level;
}

RNDR_NAMESPACE_END
