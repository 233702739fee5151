// Depth softmax: the weight of a fragment is ~ coverage exp(nearness / gamma), nearness = (far - depth) / (far - near).
#pragma once
#include "math/triangle.h"
#include "raster/coverage.h"
#include "raster/fragment.h"
#include "raster/texture.h"

namespace rndr {

template <class T>
struct ColourParams {
  T inverse_gamma, background_nearness, far, inverse_range;
  bool perspective;  // barycentrics and depth are perspective-correct; else linear on the screen
};

// Attributes (B, A, C) of the corners; corner k of face f reads attribute corners[3 f + k].
template <class T>
struct Attributes {
  const T* values;
  const int64_t* corners;
  int count, channels;
};

// Textures that multiply the first `channels` attributes of the faces that have one: face f reads texture face_texture[f], none if -1.
template <class T>
struct TextureSet {
  const T* uv;                  // (B, uv_count, 2); corner k of face f reads row uv_corners[3 f + k]
  const int64_t* uv_corners;
  int uv_count;
  const T* slopes;              // (B, F, 6): see texture_footprint in raster/texture.h; not read for textures of one level
  const T* texels;              // (sets, texel_count, channels); view b reads set b / (B / sets)
  int sets;
  long long texel_count;
  int channels;
  const int64_t* face_texture;  // (F,)
  const int64_t* layouts;       // (count, 6): first texel, height, width, levels, nearest, repeat
  int count;                    // 0: nothing above is read
};

constexpr int kLayoutFields = 6, kSlopes = 6;

// The texture of one face, and its coordinates at the corners.
template <class T>
struct FaceTexture {
  int height, width, levels;
  bool nearest, repeat;
  const T* texels;  // the pyramid, channels interleaved
  int channels;     // 0: there is none
  T u[3], v[3];
  const T* slope;
};

}  // namespace rndr

RNDR_NAMESPACE_BEGIN

// First texel of the set that a view reads.
template <class T>
RNDR_HD size_t set_offset(const TextureSet<T>& t, int batch, int b) {
  return static_cast<size_t>(b / (batch / t.sets)) * t.texel_count;
}

// The layout of a face's texture, null if it has none.
template <class T>
RNDR_HD const int64_t* layout_of(const TextureSet<T>& t, int face) {
  return t.count == 0 || t.face_texture[face] < 0 ? nullptr : t.layouts + kLayoutFields * t.face_texture[face];
}

template <class T>
RNDR_HD FaceTexture<T> face_texture(const TextureSet<T>& t, int batch, int face_count, int b, int face, const int64_t* layout) {
  FaceTexture<T> out{};
  out.height = static_cast<int>(layout[1]), out.width = static_cast<int>(layout[2]), out.levels = static_cast<int>(layout[3]);
  out.nearest = layout[4] != 0, out.repeat = layout[5] != 0;
  out.texels = t.texels + (set_offset(t, batch, b) + layout[0]) * t.channels;
  out.channels = t.channels;
  for (int k = 0; k < 3; ++k) {
    const T* uv = t.uv + 2 * (static_cast<size_t>(b) * t.uv_count + t.uv_corners[3 * static_cast<size_t>(face) + k]);
    out.u[k] = uv[0], out.v[k] = uv[1];
  }
  out.slope = t.slopes + kSlopes * (static_cast<size_t>(b) * face_count + face);
  return out;
}

// One more fragment in a pixel's softmax: its weight, and the factor by which everything before it shrinks.
template <class T>
struct SoftmaxStep {
  T weight, shrink;
};

template <class T>
RNDR_HD SoftmaxStep<T> softmax_step(T coverage, T nearness, T inverse_gamma, T& nearest, T& sum) {
  const T before = nearest;
  // What covers nothing must not become the maximum: everything else could vanish beside it.
  const T after = coverage > T(0) && nearness > before ? nearness : before;
  SoftmaxStep<T> s;
  s.weight = coverage * exp_((coverage > T(0) ? nearness - after : T(0)) * inverse_gamma);
  s.shrink = exp_((before - after) * inverse_gamma);
  nearest = after;
  sum = sum * s.shrink + s.weight;
  return s;
}

// What one fragment sends back: dL/d(x y z of the corners), and its parts of the parameters' derivatives. p is its weight among all, b are
// the weights of its corners.
template <class T>
struct FragmentSums {
  T x0, y0, z0, x1, y1, z1, x2, y2, z2, scale, shift, gamma, shape, p, b[3];
};

// s0, s1, s2: dL/d(weight of a corner), over p; mean: dL/d(colour) . colour of the pixel; texture_depth: dL/d depth by way of a texture, over p.
template <class T>
RNDR_HD FragmentSums<T> fragment_sums(const LocalTriangle<T>& t, T px, T py, const T z[3], const CoverageParams<T>& v, const ColourParams<T>& c,
                                      T coverage, T pdf, T df_dshape, T s0, T s1, T s2, T texture_depth, T nearest, T sum, T mean) {
  const Closest<T> near = closest_point(t, px, py);
  const Fragment<T> f = make_fragment(near.lambda, z, c.perspective);
  const bool live = coverage > T(0);
  const T nearness = (c.far - f.depth) * c.inverse_range;
  // At most 0, but for rounding, and but for pixels beyond the image, which no forward pass has seen.
  const T above = live && nearness < nearest ? nearness - nearest : T(0);
  const T e = live ? exp_(above * c.inverse_gamma) / sum : T(0);
  FragmentSums<T> r;
  r.p = coverage * e;
  // Derivative of the loss in the logarithm of this fragment's weight, over p.
  const T slope = f.b[0] * s0 + f.b[1] * s1 + f.b[2] * s2 - mean;
  r.b[0] = f.b[0], r.b[1] = f.b[1], r.b[2] = f.b[2];
  r.gamma = -(r.p * slope * above * c.inverse_gamma * c.inverse_gamma);
  // The coverage path.
  const T grad_F = live ? e * slope : T(0);
  const T weight = grad_F * pdf;
  const Nearest<T> n = nearest_boundary_point(t, px, py);
  const T dz = standardise_slope(sqrt_(n.distance2), v.squared, v.inverse_scale);
  const T hx = weight * dz * n.hx, hy = weight * dz * n.hy;
  r.scale = weight == T(0) ? T(0) : -(weight * standardise(n.distance2, n.inside, v.squared, v.inverse_scale) * v.inverse_scale);
  r.shift = weight;
  r.shape = grad_F * df_dshape;
  // The depth and the barycentric paths.
  const T grad_depth = r.p * (texture_depth - slope * c.inverse_gamma * c.inverse_range);
  const T grad_b[3] = {r.p * s0, r.p * s1, r.p * s2};
  T g[3], gz[3];
  fragment_gradient(f, near.lambda, z, c.perspective, grad_b, grad_depth, g, gz);
  const T across = near.edge_weight[0] * g[0] + near.edge_weight[1] * g[1] + near.edge_weight[2] * g[2];
  T gx = across * near.sx, gy = across * near.sy;
  const T i0 = g[0] * t.inverse_height[1], i1 = g[1] * t.inverse_height[2], i2 = g[2] * t.inverse_height[0];
  gx = near.inside ? i0 * t.nx[1] + i1 * t.nx[2] + i2 * t.nx[0] : gx;
  gy = near.inside ? i0 * t.ny[1] + i1 * t.ny[2] + i2 * t.ny[0] : gy;
  const T qx = across * near.qx, qy = across * near.qy;
  const T use = live ? T(1) : T(0);
  const T lambda2 = T(1) - n.lambda0 - n.lambda1;
  r.x0 = n.lambda0 * hx + use * (near.edge_weight[0] * qx - near.lambda[0] * gx);
  r.y0 = n.lambda0 * hy + use * (near.edge_weight[0] * qy - near.lambda[0] * gy);
  r.x1 = n.lambda1 * hx + use * (near.edge_weight[1] * qx - near.lambda[1] * gx);
  r.y1 = n.lambda1 * hy + use * (near.edge_weight[1] * qy - near.lambda[1] * gy);
  r.x2 = lambda2 * hx + use * (near.edge_weight[2] * qx - near.lambda[2] * gx);
  r.y2 = lambda2 * hy + use * (near.edge_weight[2] * qy - near.lambda[2] * gy);
  r.z0 = use * gz[0];
  r.z1 = use * gz[1];
  r.z2 = use * gz[2];
  return r;
}

// The lookup of a fragment with the weights b of its corners; levels: of the pyramid.
template <class T, class Levels>
RNDR_HD Lookup<T> fragment_lookup(const FaceTexture<T>& t, const Levels& levels, const T depth[3], bool perspective, const T b[3],
                                  Footprint<T>& footprint) {
  const TextureLayout layout{t.height, t.width, t.levels, t.nearest, t.repeat};
  const T u = b[0] * t.u[0] + b[1] * t.u[1] + b[2] * t.u[2], v = b[0] * t.v[0] + b[1] * t.v[1] + b[2] * t.v[2];
  footprint = Footprint<T>{};
  if (t.levels > 1) {
    const T z = perspective ? b[0] * depth[0] + b[1] * depth[1] + b[2] * depth[2] : T(1);
    footprint = texture_footprint(layout, t.slope, u, v, z);
  }
  return texture_lookup(layout, levels, u, v, footprint.lod);
}

// The value of one channel.
template <class T>
RNDR_HD T texture_value(const FaceTexture<T>& t, const Lookup<T>& l, int channel) {
  T value = T(0);
  for (int level = 0; level < l.levels; ++level)
    for (int k = 0; k < 4; ++k) value += l.weight(level, k) * t.texels[l.taps[level].texel[k] * t.channels + channel];
  return value;
}

// What a texture adds to a fragment's derivatives, over the fragment's weight.
template <class T>
struct TexturePair {
  T u, v, lod, depth;
};

// grad(c): dL/d(colour); corner(c, k): attribute at corner k. Adds dL/d(weight of a corner) to product.
template <class T, class Grad, class Corner>
RNDR_HD TexturePair<T> texture_pair(const FaceTexture<T>& t, const Lookup<T>& l, const Footprint<T>& footprint, bool perspective,
                                    const T b[3], const Grad& grad, const Corner& corner, T product[3]) {
  TexturePair<T> r{T(0), T(0), T(0), T(0)};
  for (int level = 0; level < l.levels; ++level)
    for (int k = 0; k < 4; ++k) {
      const T* texel = t.texels + l.taps[level].texel[k] * t.channels;
      T dot = T(0);  // the loss's derivative in this tap's weight
      for (int c = 0; c < t.channels; ++c) dot += grad(c) * (b[0] * corner(c, 0) + b[1] * corner(c, 1) + b[2] * corner(c, 2)) * texel[c];
      add_tap_gradient(l, level, k, dot, r.u, r.v, r.lod);
    }
  for (int c = 0; c < t.channels; ++c) {
    const T share = grad(c) * texture_value(t, l, c);
    for (int k = 0; k < 3; ++k) product[k] += share * corner(c, k);
  }
  if (t.levels > 1) {
    r.u += r.lod * footprint.du;
    r.v += r.lod * footprint.dv;
    r.depth = perspective ? r.lod * footprint.dz : T(0);
  }
  // u = sum_k b_k u_k. The weights b sum to 1, so a constant may be taken away: then sum_k b_k product_k stays what it was.
  T through[3], mean = T(0);
  for (int k = 0; k < 3; ++k) {
    through[k] = r.u * t.u[k] + r.v * t.v[k];
    mean += b[k] * through[k];
  }
  for (int k = 0; k < 3; ++k) product[k] += through[k] - mean;
  return r;
}

RNDR_NAMESPACE_END
