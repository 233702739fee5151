// Compiled once per SIMD level, as cpu/kernels.cpp: the loops of the depth softmax.
#include "cpu/kernels.h"
#include "math/special.h"
#include "raster/fragment.h"
#include "raster/texture.h"

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
      const T D = coverage[at + i], n = nearness[at + i], before = nearest[i];
      // What covers nothing must not become the maximum: everything else could vanish beside it.
      const T after = D > T(0) && n > before ? n : before;
      const T w = D * exp_((D > T(0) ? n - after : T(0)) * c.inverse_gamma);
      const T s = exp_((before - after) * c.inverse_gamma);
      weight[at + i] = w;
      shrink[at + i] = s;
      nearest[i] = after;
      sum[i] = sum[i] * s + w;
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
      const T b0 = f.b[0][i], b1 = f.b[1][i], b2 = f.b[2][i];
      const T u = b0 * t.u[0] + b1 * t.u[1] + b2 * t.u[2], v = b0 * t.v[0] + b1 * t.v[1] + b2 * t.v[2];
      Footprint<T> footprint{};
      if (t.levels > 1) {
        const T z = perspective ? b0 * depth[0] + b1 * depth[1] + b2 * depth[2] : T(1);
        footprint = texture_footprint(layout, t.slope, u, v, z);
      }
      body(i, row, column, texture_lookup(layout, levels, u, v, footprint.lod), footprint);
    }
}

template <class T>
void texture_kernel(const FaceTexture<T>& t, const T depth[3], const Rect& r, bool perspective, const T* coverage,
                    const FragmentBuffers<T>& f, T (*value)[kBuffer]) {
  for (int c = 0; c < t.channels; ++c)
    for (int i = 0; i < r.width * r.height; ++i) value[c][i] = T(0);
  each_lookup(t, depth, r, perspective, coverage, f, [&](int i, int, int, const Lookup<T>& l, const Footprint<T>&) {
    for (int level = 0; level < l.levels; ++level)
      for (int k = 0; k < 4; ++k) {
        const T w = l.weight(level, k);
        const T* texel = t.texels + l.taps[level].texel[k] * t.channels;
        for (int c = 0; c < t.channels; ++c) value[c][i] += w * texel[c];
      }
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
    T du = T(0), dv = T(0), dlod = T(0);
    for (int level = 0; level < l.levels; ++level)
      for (int k = 0; k < 4; ++k) {
        const T* texel = t.texels + l.taps[level].texel[k] * t.channels;
        const T w = l.weight(level, k);
        T dot = T(0);  // the loss's derivative in this tap's weight, over the fragment's
        for (int c = 0; c < t.channels; ++c) {
          const T a = b[0] * corners[c][0] + b[1] * corners[c][1] + b[2] * corners[c][2];
          value[c][i] += w * texel[c];
          dot += grads[c][pixel] * a * texel[c];
        }
        const T share = level == 0 ? T(1) - l.between : l.between;
        du += share * dot * l.taps[level].du[k];
        dv += share * dot * l.taps[level].dv[k];
        dlod += (level == 0 ? -dot : dot) * l.taps[level].weight[k];
        out.texel[4 * level + k][i] = l.taps[level].texel[k];
        out.tap_weight[4 * level + k][i] = w;
      }
    for (int c = 0; c < t.channels; ++c)
      for (int k = 0; k < 3; ++k) product[k][i] += grads[c][pixel] * value[c][i] * corners[c][k];
    if (t.levels > 1) {
      du += dlod * footprint.du;
      dv += dlod * footprint.dv;
      out.depth[i] = perspective ? dlod * footprint.dz : T(0);
      out.lod[i] = dlod;
      for (int k = 0; k < 6; ++k) out.dlod_dslope[k][i] = footprint.dslope[k];
    }
    out.u[i] = du, out.v[i] = dv;
    // u = sum_k b_k u_k. The weights b sum to 1, so a constant may be taken away: then sum_k b_k product_k stays what it was.
    T through[3], mean = T(0);
    for (int k = 0; k < 3; ++k) {
      through[k] = du * t.u[k] + dv * t.v[k];
      mean += b[k] * through[k];
    }
    for (int k = 0; k < 3; ++k) product[k][i] += through[k] - mean;
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
  const bool squared = v.squared;
  T x0 = 0, y0 = 0, z0 = 0, x1 = 0, y1 = 0, z1 = 0, x2 = 0, y2 = 0, z2 = 0, scale = 0, shape = 0, shift = 0, gamma = 0;
  for (int row = 0; row < r.height; ++row) {
    const T y = T(r.y0 + row) + T(0.5);
    const int at = row * r.width, pixel = (r.y0 + row) * stride + r.x0;
    const T *nearest = planes.nearest + pixel, *sum = planes.sum + pixel, *mean_row = mean + pixel;
#pragma omp simd reduction(+ : x0, y0, z0, x1, y1, z1, x2, y2, z2, scale, shift, gamma)
    for (int i = 0; i < r.width; ++i) {
      const T px = T(r.x0 + i) + T(0.5);
      const Closest<T> near = closest_point(t, px, y);
      const Fragment<T> f = make_fragment(near.lambda, z, c.perspective);
      const T D = coverage[at + i];
      const bool live = D > T(0);
      const T nearness = (c.far - f.depth) * c.inverse_range;
      // At most 0, but for rounding, and but for pixels beyond the image, which no forward pass has seen.
      const T above = live && nearness < nearest[i] ? nearness - nearest[i] : T(0);
      const T e = live ? exp_(above * c.inverse_gamma) / sum[i] : T(0);
      const T p = D * e;
      const T s0 = product[0][at + i], s1 = product[1][at + i], s2 = product[2][at + i];
      // Derivative of the loss in the logarithm of this fragment's weight, over p.
      const T slope = f.b[0] * s0 + f.b[1] * s1 + f.b[2] * s2 - mean_row[i];
      out.b[0][at + i] = f.b[0];
      out.b[1][at + i] = f.b[1];
      out.b[2][at + i] = f.b[2];
      p_out[at + i] = p;
      gamma -= p * slope * above * c.inverse_gamma * c.inverse_gamma;
      // The coverage path.
      const T grad_F = live ? e * slope : T(0);
      const T weight = grad_F * pdf[at + i];
      const Nearest<T> n = nearest_boundary_point(t, px, y);
      const T distance = sqrt_(n.distance2);
      const T size = squared ? n.distance2 : distance;
      const T dz = squared ? T(2) * distance * v.inverse_scale : v.inverse_scale;
      const T hx = weight * dz * n.hx, hy = weight * dz * n.hy;
      scale -= weight == T(0) ? T(0) : weight * (n.inside ? size : -size) * v.inverse_scale * v.inverse_scale;
      shift += weight;
      // The depth and the barycentric paths.
      const T grad_depth = p * (depth_gradient[at + i] - slope * c.inverse_gamma * c.inverse_range);
      const T grad_b[3] = {p * s0, p * s1, p * s2};
      T g[3], gz[3];
      fragment_gradient(f, near.lambda, z, c.perspective, grad_b, grad_depth, g, gz);
      const T across = near.edge_weight[0] * g[0] + near.edge_weight[1] * g[1] + near.edge_weight[2] * g[2];
      T gx = across * near.sx, gy = across * near.sy;
      const T i0 = g[0] * t.inverse_height[1], i1 = g[1] * t.inverse_height[2], i2 = g[2] * t.inverse_height[0];
      gx = near.inside ? i0 * t.nx[1] + i1 * t.nx[2] + i2 * t.nx[0] : gx;
      gy = near.inside ? i0 * t.ny[1] + i1 * t.ny[2] + i2 * t.ny[0] : gy;
      const T qx = across * near.qx, qy = across * near.qy;
      const T use = live ? T(1) : T(0);
      x0 += n.lambda0 * hx + use * (near.edge_weight[0] * qx - near.lambda[0] * gx);
      y0 += n.lambda0 * hy + use * (near.edge_weight[0] * qy - near.lambda[0] * gy);
      x1 += n.lambda1 * hx + use * (near.edge_weight[1] * qx - near.lambda[1] * gx);
      y1 += n.lambda1 * hy + use * (near.edge_weight[1] * qy - near.lambda[1] * gy);
      const T lambda2 = T(1) - n.lambda0 - n.lambda1;
      x2 += lambda2 * hx + use * (near.edge_weight[2] * qx - near.lambda[2] * gx);
      y2 += lambda2 * hy + use * (near.edge_weight[2] * qy - near.lambda[2] * gy);
      z0 += use * gz[0];
      z1 += use * gz[1];
      z2 += use * gz[2];
    }
    if (df_dshape) {
      for (int i = 0; i < r.width; ++i) {
        const T D = coverage[at + i], p = p_out[at + i];
        if (!(D > T(0))) continue;
        const T slope = out.b[0][at + i] * product[0][at + i] + out.b[1][at + i] * product[1][at + i] +
                        out.b[2][at + i] * product[2][at + i] - mean_row[i];
        shape += p / D * slope * df_dshape[at + i];
      }
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
