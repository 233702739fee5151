#include "cpu/depth_softmax.h"

#include <memory>

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

// One channel of an interleaved image (H, W, C) into a tile, 0 beyond the image.
template <class T>
void load_channel(const T* image, int channels, int channel, int width, int x, int y, int columns, int rows, T* tile) {
  std::fill_n(tile, kTilePixels, T(0));
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < columns; ++i)
      tile[row * kTileStride + i] = image[(static_cast<size_t>(y + row) * width + x + i) * channels + channel];
}

}  // namespace

template <class T>
void depth_softmax_forward(const Screen<T>& s, const Attributes<T>& attributes, const T* parameters, const CoverageSettings& coverage,
                           const SoftmaxSettings& softmax, T* colour, T* background, T* nearest, T* sum) {
  check_screen(s);
  check_attributes(attributes, s.face_count);
  const Plan<T> plan(parameters, coverage, softmax);
  const int channels = attributes.channels;
  const ThreadSplit threads(s.batch, coverage.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    parallel_items(tiling.bins.grid.cells(), threads.inside, [&](int tile) {
      // The background opens the softmax, with weight 1.
      std::vector<T> tile_nearest(kTilePixels, plan.colour.background_nearness), tile_sum(kTilePixels, T(1));
      std::vector<T> sums(static_cast<size_t>(channels) * kTilePixels, T(0));
      const SoftmaxPlanes<T> planes{tile_nearest.data(), tile_sum.data()};
      const int x = tiling.tile_x(tile), y = tiling.tile_y(tile);
      auto fragments = std::make_unique<FragmentBuffers<T>>();
      T z[kBuffer], D[kBuffer], weight[kBuffer], shrink[kBuffer], depth[3], corner[3];
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i) {
        const int face = tiling.bins.item[i];
        corner_depths(s, b, face, depth);
        face_rectangles(s, b, face, x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          plan.geometry.z(&local, r, plan.params, z);
          plan.distribution.cdf(r.width * r.height, z, plan.params, D);
          plan.kernels.fragment(&local, depth, r, plan.colour, *fragments);
          plan.kernels.blend(r, kTileStride, D, fragments->nearness, plan.colour, planes, weight, shrink);
          for (int c = 0; c < channels; ++c) {
            corner_attributes(attributes, b, face, c, corner);
            plan.kernels.blend_channel(r, kTileStride, *fragments, weight, shrink, corner, sums.data() + static_cast<size_t>(c) * kTilePixels);
          }
        });
      }
      const int columns = std::min(kTileWidth, s.width - x), rows = std::min(kTileHeight, s.height - y);
      for (int row = 0; row < rows; ++row)
        for (int i = 0; i < columns; ++i) {
          const int from = row * kTileStride + i;
          const size_t to = offset + static_cast<size_t>(y + row) * s.width + x + i;
          nearest[to] = tile_nearest[from];
          sum[to] = tile_sum[from];
          background[to] = std::exp((plan.colour.background_nearness - tile_nearest[from]) * plan.colour.inverse_gamma) / tile_sum[from];
          for (int c = 0; c < channels; ++c)
            colour[to * channels + c] = sums[static_cast<size_t>(c) * kTilePixels + from] / tile_sum[from];
        }
    });
  });
}

template <class T>
void depth_softmax_backward(const Screen<T>& s, const Attributes<T>& attributes, const T* parameters,
                            const CoverageSettings& coverage, const SoftmaxSettings& softmax, const T* colour, const T* background,
                            const T* nearest, const T* sum, const T* grad_colour, const T* grad_background, T* grad_vertices,
                            T* grad_attributes, T* grad_parameters) {
  const Plan<T> plan(parameters, coverage, softmax);
  const int channels = attributes.channels;
  std::fill_n(grad_vertices, static_cast<size_t>(s.batch) * s.vertex_count * 3, T(0));
  std::fill_n(grad_attributes, static_cast<size_t>(s.batch) * attributes.count * channels, T(0));
  const ThreadSplit threads(s.batch, coverage.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    const int tiles = tiling.bins.grid.cells();
    // One sum per (face, tile), added up afterwards in a fixed order, as for face coverage.
    std::vector<ColourGradient<T>> gradients(tiling.bins.item.size());
    std::vector<T> corner_gradients(tiling.bins.item.size() * 3 * channels, T(0));
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
      T z[kBuffer], D[kBuffer], f[kBuffer], df[kBuffer], p[kBuffer], product[3][kBuffer], depth[3], corner[3];
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i) {
        const int face = tiling.bins.item[i];
        gradients[i] = {};
        T* corner_sums = corner_gradients.data() + static_cast<size_t>(i) * 3 * channels;
        corner_depths(s, b, face, depth);
        face_rectangles(s, b, face, x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          const int n = r.width * r.height;
          plan.geometry.z(&local, r, plan.params, z);
          plan.distribution.cdf(n, z, plan.params, D);
          plan.distribution.pdf(n, z, plan.params, f);
          if (plan.distribution.has_shape) plan.distribution.dcdf_dshape(n, z, plan.params, df);
          for (auto& row : product) std::fill_n(row, n, T(0));
          for (int c = 0; c < channels; ++c) {
            corner_attributes(attributes, b, face, c, corner);
            plan.kernels.corner_products(r, kTileStride, grads.data() + static_cast<size_t>(c) * kTilePixels, corner, product);
          }
          plan.kernels.backward(&local, depth, r, kTileStride, plan.params, plan.colour, D, f,
                                plan.distribution.has_shape ? df : nullptr, product, planes, mean.data(), *fragments, p, gradients[i]);
          for (int c = 0; c < channels; ++c)
            plan.kernels.channel_gradient(r, kTileStride, *fragments, p, grads.data() + static_cast<size_t>(c) * kTilePixels,
                                          corner_sums + 3 * c);
        });
      }
    });
    T* out = grad_vertices + static_cast<size_t>(b) * s.vertex_count * 3;
    T* out_attributes = grad_attributes + static_cast<size_t>(b) * attributes.count * channels;
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
    for (double gamma : background_gamma) total[3] += gamma;
    for (int k = 0; k < 4; ++k) grad_parameters[4 * b + k] = static_cast<T>(total[k]);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                          \
  template void depth_softmax_forward<T>(const Screen<T>&, const Attributes<T>&, const T*, const CoverageSettings&, const SoftmaxSettings&, \
                                         T*, T*, T*, T*);                                                                            \
  template void depth_softmax_backward<T>(const Screen<T>&, const Attributes<T>&, const T*, const CoverageSettings&, const SoftmaxSettings&, \
                                          const T*, const T*, const T*, const T*, const T*, const T*, T*, T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
