#include "cpu/depth_softmax.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "cpu/texel_sums.h"
#include "cpu/texture.h"
#include "cpu/tiles.h"

namespace rndr {
namespace {

constexpr int kTilePixels = kTileStride * kTileHeight;

template <class T>
struct Plan : CoveragePlan<T> {
  const ColourKernels<T>& kernels;
  ColourParams<T> colour;

  Plan(const T* parameters, const CoverageSettings& c, const SoftmaxSettings& s)
      : CoveragePlan<T>(parameters, c), kernels(table<T>(this->level).colour) {
    const double gamma = parameters[3];
    if (!(gamma > 0) || !std::isfinite(gamma))
      throw std::invalid_argument("gamma: must be positive and finite, got " + std::to_string(gamma));
    if (!(s.far > s.near)) throw std::invalid_argument("near, far: expected near < far, got " + std::to_string(s.near) + ", " + std::to_string(s.far));
    colour = {T(1 / gamma), T(s.eps), T(s.far), T(1 / (s.far - s.near)), s.perspective};
  }
};

template <class T>
void corner_depths(const Screen<T>& s, int b, int face, T depth[3]) {
  for (int k = 0; k < 3; ++k) depth[k] = s.view(b)[3 * s.faces[3 * static_cast<size_t>(face) + k] + 2];
}

template <class T>
void corner_attributes(const Attributes<T>& a, int b, int face, int channel, T corner[3]) {
  for (int k = 0; k < 3; ++k)
    corner[k] = a.values[(static_cast<size_t>(b) * a.count + a.corners[3 * static_cast<size_t>(face) + k]) * a.channels + channel];
}

template <class T>
void check_attributes(const Attributes<T>& a, int face_count) {
  for (size_t i = 0; i < 3 * static_cast<size_t>(face_count); ++i)
    if (a.corners[i] < 0 || a.corners[i] >= a.count)
      throw std::invalid_argument("attribute_faces: face " + std::to_string(i / 3) + " refers to attribute " +
                                  std::to_string(a.corners[i]) + ", but there are " + std::to_string(a.count));
}

template <class T>
void check_textures(const TextureSet<T>& t, const Screen<T>& s) {
  if (t.count == 0) return;
  check_uv(t.uv, 2 * static_cast<size_t>(s.batch) * t.uv_count);
  for (int f = 0; f < s.face_count; ++f) {
    if (t.face_texture[f] < -1 || t.face_texture[f] >= t.count)
      throw std::invalid_argument("face_texture: expected -1 to " + std::to_string(t.count - 1) + ", got " +
                                  std::to_string(t.face_texture[f]) + " for face " + std::to_string(f));
    for (int k = 0; k < 3; ++k) {
      const int64_t row = t.uv_corners[3 * static_cast<size_t>(f) + k];
      if (row < 0 || row >= t.uv_count)
        throw std::invalid_argument("uv_faces: face " + std::to_string(f) + " refers to row " + std::to_string(row) + " of uv, which has " +
                                    std::to_string(t.uv_count));
    }
  }
}

// Rows of buffers, one for every channel of a texture.
template <class T>
class ChannelBuffers {
 public:
  explicit ChannelBuffers(int channels) : storage_(new T[static_cast<size_t>(channels) * kBuffer]) {}
  T (*rows())[kBuffer] { return reinterpret_cast<T(*)[kBuffer]>(storage_.get()); }

 private:
  std::unique_ptr<T[]> storage_;
};

// Lets work that is done in any order be added up in order, and keeps no more of it than has to wait.
class InOrder {
 public:
  void done(int index, std::function<void()> add) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.emplace(index, std::move(add));
    for (auto first = waiting_.find(next_); first != waiting_.end(); first = waiting_.find(++next_)) {
      first->second();
      waiting_.erase(first);
    }
  }

 private:
  std::mutex mutex_;
  std::map<int, std::function<void()>> waiting_;
  int next_ = 0;
};

// One channel of an interleaved image (H, W, C) into a tile, 0 beyond the image.
template <class T>
void load_channel(const T* image, int channels, int channel, int width, int x, int y, int columns, int rows, T* tile) {
  std::fill_n(tile, kTilePixels, T(0));
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < columns; ++i)
      tile[row * kTileStride + i] = image[(static_cast<size_t>(y + row) * width + x + i) * channels + channel];
}

// The softmax of a tile's pixels. Faces are added up some hundreds at a time by themselves: in float32 the sum of 1e5 would lose
// what each adds.
template <class T>
struct TileSoftmax {
  static constexpr int kTogether = 512;
  const ColourParams<T>& params;
  const int channels;
  std::vector<T> nearest, sum, sums;  // of the faces since the last `fold`, nearest of all
  std::vector<T> total_nearest;
  std::vector<double> total, totals;

  // The background opens the softmax, with weight 1.
  TileSoftmax(const ColourParams<T>& p, int c)
      : params(p), channels(c), nearest(kTilePixels, p.background_nearness), sum(kTilePixels, T(0)),
        sums(static_cast<size_t>(c) * kTilePixels, T(0)), total_nearest(nearest), total(kTilePixels, 1.0), totals(sums.size(), 0.0) {}

  T* channel(int c) { return sums.data() + static_cast<size_t>(c) * kTilePixels; }

  void fold() {
    for (int i = 0; i < kTilePixels; ++i) {
      shrink[i] = nearest[i] == total_nearest[i] ? 1.0 : std::exp((total_nearest[i] - nearest[i]) * params.inverse_gamma);
      total_nearest[i] = nearest[i];
    }
    add(sum.data(), total.data());
    for (int c = 0; c < channels; ++c) add(channel(c), totals.data() + static_cast<size_t>(c) * kTilePixels);
  }

 private:
  std::vector<double> shrink = std::vector<double>(kTilePixels);

  void add(T* more, double* to) const {
    const double* factor = shrink.data();
#pragma omp simd
    for (int i = 0; i < kTilePixels; ++i) {
      to[i] = to[i] * factor[i] + more[i];
      more[i] = T(0);
    }
  }
};

}  // namespace

template <class T>
void depth_softmax_forward(const Screen<T>& s, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                           const CoverageSettings& coverage, const SoftmaxSettings& softmax, T* colour, T* background, T* nearest, T* sum) {
  check_screen(s);
  check_attributes(attributes, s.face_count);
  check_textures(textures, s);
  const Plan<T> plan(parameters, coverage, softmax);
  const int channels = attributes.channels;
  const ThreadSplit threads(s.batch, coverage.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    parallel_items(tiling.bins.grid.cells(), threads.inside, [&](int tile) {
      TileSoftmax<T> pixels(plan.colour, channels);
      const SoftmaxPlanes<T> planes{pixels.nearest.data(), pixels.sum.data()};
      const int x = tiling.tile_x(tile), y = tiling.tile_y(tile);
      auto fragments = std::make_unique<FragmentBuffers<T>>();
      T z[kBuffer], D[kBuffer], weight[kBuffer], shrink[kBuffer], depth[3], corner[3];
      ChannelBuffers<T> texture_values(textures.count ? textures.channels : 0);
      const int begin = tiling.bins.start[tile], end = tiling.bins.start[tile + 1];
      for (int i = begin; i < end; ++i) {
        if (i > begin && (i - begin) % TileSoftmax<T>::kTogether == 0) pixels.fold();
        const int face = tiling.bins.item[i];
        corner_depths(s, b, face, depth);
        const int64_t* layout = layout_of(textures, face);
        const FaceTexture<T> texture = layout ? face_texture(textures, s.batch, s.face_count, b, face, layout) : FaceTexture<T>{};
        face_rectangles(s, b, face, x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          plan.geometry.z(&local, r, plan.params, z);
          plan.distribution.cdf(r.width * r.height, z, plan.params, D);
          plan.kernels.fragment(&local, depth, r, plan.colour, *fragments);
          plan.kernels.blend(r, kTileStride, D, fragments->nearness, plan.colour, planes, weight, shrink);
          T(*values)[kBuffer] = texture_values.rows();
          if (layout) plan.kernels.texture(texture, depth, r, plan.colour.perspective, D, *fragments, values);
          for (int c = 0; c < channels; ++c) {
            corner_attributes(attributes, b, face, c, corner);
            plan.kernels.blend_channel(r, kTileStride, *fragments, weight, shrink, corner, c < texture.channels ? values[c] : nullptr,
                                       pixels.channel(c));
          }
        });
      }
      pixels.fold();
      const int columns = std::min(kTileWidth, s.width - x), rows = std::min(kTileHeight, s.height - y);
      for (int row = 0; row < rows; ++row)
        for (int i = 0; i < columns; ++i) {
          const int from = row * kTileStride + i;
          const size_t to = offset + static_cast<size_t>(y + row) * s.width + x + i;
          const double all = pixels.total[from];
          nearest[to] = pixels.nearest[from];
          sum[to] = T(all);
          background[to] = T(std::exp((plan.colour.background_nearness - pixels.nearest[from]) * plan.colour.inverse_gamma) / all);
          for (int c = 0; c < channels; ++c)
            colour[to * channels + c] = T(pixels.totals[static_cast<size_t>(c) * kTilePixels + from] / all);
        }
    });
  });
}

template <class T>
void depth_softmax_backward(const Screen<T>& s, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                            const CoverageSettings& coverage, const SoftmaxSettings& softmax, const T* colour, const T* background,
                            const T* nearest, const T* sum, const T* grad_colour, const T* grad_background,
                            const SoftmaxGradients<T>& results) {
  const Plan<T> plan(parameters, coverage, softmax);
  const int channels = attributes.channels;
  const int textured = textures.count ? textures.channels : 0;
  if (textured) {
    std::fill_n(results.uv, 2 * static_cast<size_t>(s.batch) * textures.uv_count, T(0));
    std::fill_n(results.slopes, kSlopes * static_cast<size_t>(s.batch) * s.face_count, T(0));
    std::fill_n(results.texels, textures.sets * static_cast<size_t>(textures.texel_count) * textured, T(0));
  }
  InOrder views;
  const ThreadSplit threads(s.batch, coverage.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    const int tiles = tiling.bins.grid.cells();
    // One sum per (face, tile), added up afterwards in a fixed order, as for face coverage.
    std::vector<ColourGradient<T>> gradients(tiling.bins.item.size());
    std::vector<T> corner_gradients(tiling.bins.item.size() * 3 * channels, T(0));
    std::vector<TextureGradient<T>> texture_gradients(textured ? tiling.bins.item.size() : 0);
    auto texel_sums = std::make_shared<std::vector<TexelSums<T>>>(tiles, TexelSums<T>(textured));
    std::vector<double> background_gamma(tiles, 0.0);
    parallel_items(tiles, threads.inside, [&](int tile) {
      const int x = tiling.tile_x(tile), y = tiling.tile_y(tile);
      const int columns = std::min(kTileWidth, s.width - x), rows = std::min(kTileHeight, s.height - y);
      std::vector<T> tile_nearest(kTilePixels), tile_sum(kTilePixels), mean(kTilePixels, T(0)), part(kTilePixels);
      std::vector<T> grads(static_cast<size_t>(channels) * kTilePixels);
      load_tile(nearest + offset, s.width, x, y, columns, rows, plan.colour.background_nearness, tile_nearest.data());
      load_tile(sum + offset, s.width, x, y, columns, rows, T(1), tile_sum.data());
      for (int c = 0; c < channels; ++c) {
        T* g = grads.data() + static_cast<size_t>(c) * kTilePixels;
        load_channel(grad_colour + offset * channels, channels, c, s.width, x, y, columns, rows, g);
        load_channel(colour + offset * channels, channels, c, s.width, x, y, columns, rows, part.data());
        for (int i = 0; i < kTilePixels; ++i) mean[i] += g[i] * part[i];
      }
      for (int row = 0; row < rows; ++row)
        for (int i = 0; i < columns; ++i) {
          const size_t at = offset + static_cast<size_t>(y + row) * s.width + x + i;
          T& m = mean[row * kTileStride + i];
          m += grad_background[at] * background[at];
          const double above = static_cast<double>(plan.colour.background_nearness) - nearest[at];
          background_gamma[tile] -= static_cast<double>(background[at]) * (grad_background[at] - m) * above *
                                    plan.colour.inverse_gamma * plan.colour.inverse_gamma;
        }
      const SoftmaxPlanes<T> planes{tile_nearest.data(), tile_sum.data()};
      auto fragments = std::make_unique<FragmentBuffers<T>>();
      T z[kBuffer], D[kBuffer], f[kBuffer], df[kBuffer], p[kBuffer], product[3][kBuffer], depth[3];
      ChannelBuffers<T> texture_values(textured), contributions(textured);
      auto texture_buffers = std::make_unique<TextureBuffers<T>>();
      const T zeros[kBuffer] = {};
      std::vector<const T*> grad_planes(channels);
      for (int c = 0; c < channels; ++c) grad_planes[c] = grads.data() + static_cast<size_t>(c) * kTilePixels;
      std::unique_ptr<T[][3]> corners(new T[channels][3]);
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i) {
        const int face = tiling.bins.item[i];
        gradients[i] = {};
        T* corner_sums = corner_gradients.data() + static_cast<size_t>(i) * 3 * channels;
        corner_depths(s, b, face, depth);
        for (int c = 0; c < channels; ++c) corner_attributes(attributes, b, face, c, corners[c]);
        const int64_t* layout = layout_of(textures, face);
        const FaceTexture<T> texture = layout ? face_texture(textures, s.batch, s.face_count, b, face, layout) : FaceTexture<T>{};
        if (textured) texture_gradients[i] = {};
        face_rectangles(s, b, face, x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          const int n = r.width * r.height;
          plan.geometry.z(&local, r, plan.params, z);
          plan.distribution.cdf(n, z, plan.params, D);
          plan.distribution.pdf(n, z, plan.params, f);
          if (plan.distribution.has_shape) plan.distribution.dcdf_dshape(n, z, plan.params, df);
          for (auto& row : product) std::fill_n(row, n, T(0));
          T(*values)[kBuffer] = texture_values.rows();
          if (layout) {
            plan.kernels.fragment(&local, depth, r, plan.colour, *fragments);
            plan.kernels.texture_products(texture, depth, r, kTileStride, plan.colour.perspective, D, *fragments, grad_planes.data(),
                                          corners.get(), values, product, *texture_buffers);
          }
          for (int c = texture.channels; c < channels; ++c)
            plan.kernels.corner_products(r, kTileStride, grad_planes[c], corners[c], product);
          plan.kernels.backward(&local, depth, r, kTileStride, plan.params, plan.colour, D, f, plan.distribution.has_shape ? df : zeros,
                                product, layout ? texture_buffers->depth : zeros, planes, mean.data(), *fragments, p,
                                gradients[i]);
          for (int c = 0; c < channels; ++c)
            plan.kernels.channel_gradient(r, kTileStride, *fragments, p, grad_planes[c], c < texture.channels ? values[c] : nullptr,
                                          corner_sums + 3 * c);
          if (!layout) return;
          plan.kernels.texture_gradient(r, *fragments, p, *texture_buffers, texture_gradients[i]);
          T(*sent)[kBuffer] = contributions.rows();
          for (int row = 0, at = 0; row < r.height; ++row)
            for (int column = 0; column < r.width; ++column, ++at) {
              if (p[at] == T(0)) continue;
              const int pixel = (r.y0 + row) * kTileStride + r.x0 + column;
              for (int c = 0; c < textured; ++c) {
                T a = T(0);
                for (int k = 0; k < 3; ++k) a += fragments->b[k][at] * corners[c][k];
                sent[c][at] = p[at] * grad_planes[c][pixel] * a;
              }
              for (int k = 0; k < kTaps; ++k)
                if (const T w = texture_buffers->tap_weight[k][at]; w != T(0))
                  (*texel_sums)[tile].add(layout[0] + texture_buffers->texel[k][at], w, sent[0] + at, kBuffer);
            }
        });
      }
    });
    std::vector<double> out(static_cast<size_t>(s.vertex_count) * 3, 0.0), out_attributes(static_cast<size_t>(attributes.count) * channels, 0.0);
    double total[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < gradients.size(); ++i) {
      const ColourGradient<T>& g = gradients[i];
      const size_t face = 3 * static_cast<size_t>(tiling.bins.item[i]);
      for (int k = 0; k < 3; ++k) {
        for (int axis = 0; axis < 3; ++axis) out[3 * s.faces[face + k] + axis] += g.vertex[3 * k + axis];
        for (int c = 0; c < channels; ++c)
          out_attributes[attributes.corners[face + k] * channels + c] += corner_gradients[(i * channels + c) * 3 + k];
      }
      total[0] += g.scale, total[1] += g.shape, total[2] += g.shift * plan.distribution.shift_sign, total[3] += g.gamma;
    }
    std::transform(out.begin(), out.end(), results.vertices + b * out.size(), [](double v) { return static_cast<T>(v); });
    std::transform(out_attributes.begin(), out_attributes.end(), results.attributes + b * out_attributes.size(),
                   [](double v) { return static_cast<T>(v); });
    for (double gamma : background_gamma) total[3] += gamma;
    for (int k = 0; k < 4; ++k) results.parameters[4 * b + k] = static_cast<T>(total[k]);
    if (!textured) return;
    for (size_t i = 0; i < texture_gradients.size(); ++i) {
      const size_t face = tiling.bins.item[i];
      if (!layout_of(textures, static_cast<int>(face))) continue;
      T* slope = results.slopes + kSlopes * (static_cast<size_t>(b) * s.face_count + face);
      for (int k = 0; k < kSlopes; ++k) slope[k] += texture_gradients[i].slope[k];
      for (int k = 0; k < 3; ++k) {
        T* uv = results.uv + 2 * (static_cast<size_t>(b) * textures.uv_count + textures.uv_corners[3 * face + k]);
        uv[0] += texture_gradients[i].uv[2 * k], uv[1] += texture_gradients[i].uv[2 * k + 1];
      }
    }
    views.done(b, [&, texel_sums, b] {
      for (const TexelSums<T>& sums : *texel_sums) sums.add_to(results.texels + set_offset(textures, s.batch, b) * textured);
    });
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                              \
  template void depth_softmax_forward<T>(const Screen<T>&, const Attributes<T>&, const TextureSet<T>&, const T*, const CoverageSettings&, \
                                         const SoftmaxSettings&, T*, T*, T*, T*);                                                        \
  template void depth_softmax_backward<T>(const Screen<T>&, const Attributes<T>&, const TextureSet<T>&, const T*, const CoverageSettings&, \
                                          const SoftmaxSettings&, const T*, const T*, const T*, const T*, const T*, const T*,             \
                                          const SoftmaxGradients<T>&);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
