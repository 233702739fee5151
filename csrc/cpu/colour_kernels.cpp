// Compiled once per SIMD level, as cpu/kernels.cpp: the loops of the depth softmax.
#include "cpu/kernels.h"
#include "math/special.h"
#include "raster/softmax.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <class T>
void fragment_kernel(const void* local, const T depth[3], const Rect& r, const ColourParams<T>& c, FragmentBuffers<T>& out) {
  const LocalTriangle<T> t = *static_cast<const LocalTriangle<T>*>(local);
  const T z[3] = {depth[0], depth[1], depth[2]};
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    const int at = row * r.width;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const Closest<T> near = closest_point(t, T(r.x0 + i) + T(0.5), y);
      const Fragment<T> f = make_fragment(near.lambda, z, c.perspective);
      out.b[0][at + i] = f.b[0];
      out.b[1][at + i] = f.b[1];
      out.b[2][at + i] = f.b[2];
      out.nearness[at + i] = (c.far - f.depth) * c.inverse_range;
    }
  }
}

template <class T>
void blend_kernel(const Rect& r, int stride, const T* coverage, const T* nearness, const ColourParams<T>& c, SoftmaxPlanes<T> planes,
                  T* weight, T* shrink) {
  for (int row = 0; row < r.height; ++row) {
    const int at = row * r.width, pixel = (r.y0 + row) * stride + r.x0;
    T *nearest = planes.nearest + pixel, *sum = planes.sum + pixel;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const SoftmaxStep<T> step = softmax_step(coverage[at + i], nearness[at + i], c.inverse_gamma, nearest[i], sum[i]);
      weight[at + i] = step.weight;
      shrink[at + i] = step.shrink;
    }
  }
}

template <bool kTextured, class T>
void blend_channel(const Rect& r, int stride, const FragmentBuffers<T>& f, const T* weight, const T* shrink, const T corner[3],
                   const T* factor, T* sum) {
  const T a0 = corner[0], a1 = corner[1], a2 = corner[2];
  for (int row = 0; row < r.height; ++row) {
    const int at = row * r.width;
    T* out = sum + (r.y0 + row) * stride + r.x0;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      const T a = f.b[0][at + i] * a0 + f.b[1][at + i] * a1 + f.b[2][at + i] * a2;
      out[i] = out[i] * shrink[at + i] + weight[at + i] * (kTextured ? a * factor[at + i] : a);
    }
  }
}

template <class T>
void blend_channel_kernel(const Rect& r, int stride, const FragmentBuffers<T>& f, const T* weight, const T* shrink, const T corner[3],
                          const T* factor, T* sum) {
  if (factor)
    blend_channel<true>(r, stride, f, weight, shrink, corner, factor, sum);
  else
    blend_channel<false>(r, stride, f, weight, shrink, corner, factor, sum);
}

constexpr int kMostLevels = 32;

// Calls body(pixel in the buffers, row, column, its lookup and footprint) for every covered pixel of a rectangle. Texels lie anywhere in
// memory, so there is nothing to vectorise.
template <class T, class Body>
void each_lookup(const FaceTexture<T>& t, const T depth[3], const Rect& r, bool perspective, const T* coverage, const FragmentBuffers<T>& f,
                 const Body& body) {
  const TextureLayout layout{t.height, t.width, t.levels, t.nearest, t.repeat};
  TextureLevel levels[kMostLevels];
  for (int i = 0; i < t.levels; ++i) levels[i] = texture_level(layout, i);
  for (int row = 0; row < r.height; ++row)
    for (int column = 0; column < r.width; ++column) {
      const int i = row * r.width + column;
      if (!(coverage[i] > T(0))) continue;
      const T b[3] = {f.b[0][i], f.b[1][i], f.b[2][i]};
      Footprint<T> footprint;
      const Lookup<T> l = fragment_lookup(t, levels, depth, perspective, b, footprint);
      body(i, row, column, l, footprint);
    }
}

template <class T>
void texture_kernel(const FaceTexture<T>& t, const T depth[3], const Rect& r, bool perspective, const T* coverage,
                    const FragmentBuffers<T>& f, T (*value)[kBuffer]) {
  for (int c = 0; c < t.channels; ++c)
    for (int i = 0; i < r.width * r.height; ++i) value[c][i] = T(0);
  each_lookup(t, depth, r, perspective, coverage, f, [&](int i, int, int, const Lookup<T>& l, const Footprint<T>&) {
    for (int c = 0; c < t.channels; ++c) value[c][i] = texture_value(t, l, c);
  });
}

template <class T>
void texture_products_kernel(const FaceTexture<T>& t, const T depth[3], const Rect& r, int stride, bool perspective, const T* coverage,
                             const FragmentBuffers<T>& f, const T* const* grads, const T (*corners)[3], T (*value)[kBuffer],
                             T (*product)[kBuffer], TextureBuffers<T>& out) {
  const int n = r.width * r.height;
  for (int c = 0; c < t.channels; ++c)
    for (int i = 0; i < n; ++i) value[c][i] = T(0);
  for (int i = 0; i < n; ++i) out.u[i] = out.v[i] = out.lod[i] = out.depth[i] = T(0);
  for (auto& slopes : out.dlod_dslope)
    for (int i = 0; i < n; ++i) slopes[i] = T(0);
  for (int k = 0; k < kTaps; ++k)
    for (int i = 0; i < n; ++i) out.texel[k][i] = 0, out.tap_weight[k][i] = T(0);
  each_lookup(t, depth, r, perspective, coverage, f, [&](int i, int row, int column, const Lookup<T>& l, const Footprint<T>& footprint) {
    const T b[3] = {f.b[0][i], f.b[1][i], f.b[2][i]};
    const size_t pixel = static_cast<size_t>(r.y0 + row) * stride + r.x0 + column;
    for (int level = 0; level < l.levels; ++level)
      for (int k = 0; k < 4; ++k) {
        out.texel[4 * level + k][i] = l.taps[level].texel[k];
        out.tap_weight[4 * level + k][i] = l.weight(level, k);
      }
    for (int c = 0; c < t.channels; ++c) value[c][i] = texture_value(t, l, c);
    T own[3] = {T(0), T(0), T(0)};
    const TexturePair<T> pair = texture_pair(
        t, l, footprint, perspective, b, [&](int c) { return grads[c][pixel]; }, [&](int c, int k) { return corners[c][k]; }, own);
    for (int k = 0; k < 3; ++k) product[k][i] += own[k];
    out.u[i] = pair.u, out.v[i] = pair.v;
    if (t.levels > 1) {
      out.depth[i] = pair.depth;
      out.lod[i] = pair.lod;
      for (int k = 0; k < 6; ++k) out.dlod_dslope[k][i] = footprint.dslope[k];
    }
  });
}

template <class T>
void texture_gradient_kernel(const Rect& r, const FragmentBuffers<T>& f, const T* p, const TextureBuffers<T>& t, TextureGradient<T>& total) {
  const int n = r.width * r.height;
  for (int k = 0; k < 3; ++k) {
    T u = 0, v = 0;
#pragma omp simd reduction(+ : u, v)
    for (int i = 0; i < n; ++i) {
      const T w = p[i] * f.b[k][i];
      u += w * t.u[i];
      v += w * t.v[i];
    }
    total.uv[2 * k] += u;
    total.uv[2 * k + 1] += v;
  }
  for (int k = 0; k < 6; ++k) {
    T slope = 0;
#pragma omp simd reduction(+ : slope)
    for (int i = 0; i < n; ++i) slope += p[i] * t.lod[i] * t.dlod_dslope[k][i];
    total.slope[k] += slope;
  }
}

template <class T>
void corner_products_kernel(const Rect& r, int stride, const T* grad, const T corner[3], T (*product)[kBuffer]) {
  const T a0 = corner[0], a1 = corner[1], a2 = corner[2];
  for (int row = 0; row < r.height; ++row) {
    const int at = row * r.width;
    const T* g = grad + (r.y0 + row) * stride + r.x0;
#pragma omp simd
    for (int i = 0; i < r.width; ++i) {
      product[0][at + i] += g[i] * a0;
      product[1][at + i] += g[i] * a1;
      product[2][at + i] += g[i] * a2;
    }
  }
}

template <class T>
void backward_kernel(const void* local, const T depth[3], const Rect& r, int stride, const CoverageParams<T>& v,
                     const ColourParams<T>& c, const T* coverage, const T* pdf, const T* df_dshape, const T (*product)[kBuffer],
                     const T* depth_gradient, SoftmaxPlanes<T> planes, const T* mean, FragmentBuffers<T>& out, T* p_out, ColourGradient<T>& total) {
  const LocalTriangle<T> t = *static_cast<const LocalTriangle<T>*>(local);
  const T z[3] = {depth[0], depth[1], depth[2]};
  T x0 = 0, y0 = 0, z0 = 0, x1 = 0, y1 = 0, z1 = 0, x2 = 0, y2 = 0, z2 = 0, scale = 0, shape = 0, shift = 0, gamma = 0;
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    const int at = row * r.width, pixel = (r.y0 + row) * stride + r.x0;
    const T *nearest = planes.nearest + pixel, *sum = planes.sum + pixel, *mean_row = mean + pixel;
#pragma omp simd reduction(+ : x0, y0, z0, x1, y1, z1, x2, y2, z2, scale, shape, shift, gamma)
    for (int i = 0; i < r.width; ++i) {
      const FragmentSums<T> f = fragment_sums(t, T(r.x0 + i) + T(0.5), y, z, v, c, coverage[at + i], pdf[at + i], df_dshape[at + i],
                                              product[0][at + i], product[1][at + i], product[2][at + i], depth_gradient[at + i],
                                              nearest[i], sum[i], mean_row[i]);
      out.b[0][at + i] = f.b[0];
      out.b[1][at + i] = f.b[1];
      out.b[2][at + i] = f.b[2];
      p_out[at + i] = f.p;
      x0 += f.x0, y0 += f.y0, z0 += f.z0;
      x1 += f.x1, y1 += f.y1, z1 += f.z1;
      x2 += f.x2, y2 += f.y2, z2 += f.z2;
      scale += f.scale, shape += f.shape, shift += f.shift, gamma += f.gamma;
    }
  }
  const T vertex[9] = {x0, y0, z0, x1, y1, z1, x2, y2, z2};
  for (int k = 0; k < 9; ++k) total.vertex[k] += vertex[k];
  total.scale += scale, total.shape += shape, total.shift += shift, total.gamma += gamma;
}

template <bool kTextured, class T>
void channel_gradient(const Rect& r, int stride, const FragmentBuffers<T>& f, const T* p, const T* grad, const T* factor, T corner[3]) {
  T a0 = 0, a1 = 0, a2 = 0;
  for (int row = 0; row < r.height; ++row) {
    const int at = row * r.width;
    const T* g = grad + (r.y0 + row) * stride + r.x0;
#pragma omp simd reduction(+ : a0, a1, a2)
    for (int i = 0; i < r.width; ++i) {
      const T w = p[at + i] * (kTextured ? g[i] * factor[at + i] : g[i]);
      a0 += w * f.b[0][at + i];
      a1 += w * f.b[1][at + i];
      a2 += w * f.b[2][at + i];
    }
  }
  corner[0] += a0, corner[1] += a1, corner[2] += a2;
}

template <class T>
void channel_gradient_kernel(const Rect& r, int stride, const FragmentBuffers<T>& f, const T* p, const T* grad, const T* factor,
                             T corner[3]) {
  if (factor)
    channel_gradient<true>(r, stride, f, p, grad, factor, corner);
  else
    channel_gradient<false>(r, stride, f, p, grad, factor, corner);
}

}  // namespace

template <class T>
ColourKernels<T> colour_kernels() {
  return {fragment_kernel<T>,         blend_kernel<T>,    blend_channel_kernel<T>,    texture_kernel<T>,         corner_products_kernel<T>,
          texture_products_kernel<T>, backward_kernel<T>, channel_gradient_kernel<T>, texture_gradient_kernel<T>};
}
template ColourKernels<float> colour_kernels<float>();
template ColourKernels<double> colour_kernels<double>();

RNDR_NAMESPACE_END
