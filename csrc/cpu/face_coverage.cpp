#include "cpu/face_coverage.h"

#include <memory>

#include "cpu/coverage_plan.h"
#include "cpu/tiles.h"

namespace rndr {
namespace {

template <class T>
struct Plan : CoveragePlan<T> {
  const TConormKernels<T>& t_conorm;

  Plan(const T* parameters, const CoverageSettings& s) : CoveragePlan<T>(parameters, s), t_conorm(find_t_conorm<T>(this->level, s.t_conorm)) {
    this->params.p = parameters[3];
  }
};

}  // namespace

template <class T>
void face_coverage_forward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, T* state, T* ties, T* value) {
  check_screen(s);
  const Plan<T> plan(parameters, settings);
  const ThreadSplit threads(s.batch, settings.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    parallel_items(tiling.bins.grid.cells(), threads.inside, [&](int tile) {
      constexpr int size = kTileStride * kTileHeight;
      std::vector<T> tile_state(size, plan.t_conorm.identity), tile_ties(ties ? size : 0, T(0)), tile_value(size);
      const int x = tiling.tile_x(tile), y = tiling.tile_y(tile);
      T z[kBuffer], v[kBuffer], level[kBuffer];
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i)
        face_rectangles(s, b, tiling.bins.item[i], x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          const int n = r.width * r.height;
          plan.geometry.z(&local, r, plan.params, z);
          if (plan.t_conorm.uses_value) plan.distribution.cdf(n, z, plan.params, v);
          if (plan.t_conorm.uses_level) plan.distribution.level(n, z, plan.params, level);
          plan.t_conorm.accumulate(r, kTileStride, v, level, plan.params.p, tile_state.data(), tile_ties.data());
        });
      plan.t_conorm.value(size, tile_state.data(), plan.params.p, tile_value.data());
      const int columns = std::min(kTileWidth, s.width - x), rows = std::min(kTileHeight, s.height - y);
      store_tile(tile_state.data(), s.width, x, y, columns, rows, state + offset);
      store_tile(tile_value.data(), s.width, x, y, columns, rows, value + offset);
      if (ties) store_tile(tile_ties.data(), s.width, x, y, columns, rows, ties + offset);
    });
  });
}

template <class T>
void face_coverage_backward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, const T* state, const T* ties,
                            const T* grad, T* grad_vertices, T* grad_parameters) {
  const Plan<T> plan(parameters, settings);
  std::fill_n(grad_vertices, static_cast<size_t>(s.batch) * s.vertex_count * 3, T(0));
  const ThreadSplit threads(s.batch, settings.threads);
  parallel_items(s.batch, threads.views, [&](int b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, threads.inside);
    const size_t offset = static_cast<size_t>(b) * s.height * s.width;
    const int tiles = tiling.bins.grid.cells();
    // One sum per (face, tile), added up afterwards in a fixed order: no atomics, and the same bits for any thread count.
    std::vector<FaceGradient<T>> gradients(tiling.bins.item.size());
    std::vector<double> pixel_p(tiles, 0.0);
    parallel_items(tiles, threads.inside, [&](int tile) {
      constexpr int size = kTileStride * kTileHeight;
      const int x = tiling.tile_x(tile), y = tiling.tile_y(tile);
      const int columns = std::min(kTileWidth, s.width - x), rows = std::min(kTileHeight, s.height - y);
      std::vector<T> tile_state(size), tile_grad(size), tile_ties(ties ? size : 0);
      // Pixels past the image's edge are computed with the others; a gradient of 0 keeps them out of every sum.
      load_tile(state + offset, s.width, x, y, columns, rows, plan.t_conorm.identity, tile_state.data());
      load_tile(grad + offset, s.width, x, y, columns, rows, T(0), tile_grad.data());
      if (ties) load_tile(ties + offset, s.width, x, y, columns, rows, T(1), tile_ties.data());
      if (plan.t_conorm.has_p) {
        std::vector<T> direct(size);
        plan.t_conorm.dvalue_dp(size, tile_state.data(), plan.params.p, direct.data());
        for (int i = 0; i < size; ++i) pixel_p[tile] += static_cast<double>(direct[i]) * tile_grad[i];
      }
      auto geometry = std::make_unique<GeometryBuffers<T>>();
      T v[kBuffer], level[kBuffer], f[kBuffer], df[kBuffer], weight[kBuffer];
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i) {
        FaceGradient<T>& sum = gradients[i];
        sum = {};
        face_rectangles(s, b, tiling.bins.item[i], x, y, plan.radius, [&](const LocalTriangle<T>& local, const Rect& r) {
          const int n = r.width * r.height;
          plan.geometry.backward(&local, r, plan.params, *geometry);
          // A face is a maximum if its coverage equals the pixel's to the last bit, so z must come from the same loop.
          if (plan.t_conorm.counts_ties) plan.geometry.z(&local, r, plan.params, geometry->z);
          if (plan.t_conorm.uses_value) plan.distribution.cdf(n, geometry->z, plan.params, v);
          if (plan.t_conorm.uses_level) plan.distribution.level(n, geometry->z, plan.params, level);
          plan.distribution.pdf(n, geometry->z, plan.params, f);
          if (plan.distribution.has_shape) plan.distribution.dcdf_dshape(n, geometry->z, plan.params, df);
          plan.t_conorm.weights(r, kTileStride, v, level, f, plan.distribution.has_shape ? df : nullptr, tile_state.data(),
                                tile_ties.data(), tile_grad.data(), plan.params.p, weight, &sum.p, &sum.shape);
          plan.geometry.reduce(n, *geometry, weight, plan.params.inverse_scale, sum);
        });
      }
    });
    T* out = grad_vertices + static_cast<size_t>(b) * s.vertex_count * 3;
    double total[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < gradients.size(); ++i) {
      const FaceGradient<T>& g = gradients[i];
      const int64_t* face = s.faces + 3 * static_cast<size_t>(tiling.bins.item[i]);
      for (int k = 0; k < 3; ++k) {
        out[3 * face[k]] += g.vertex[2 * k];
        out[3 * face[k] + 1] += g.vertex[2 * k + 1];
      }
      total[0] += g.scale, total[1] += g.shape, total[2] += g.shift * plan.distribution.shift_sign, total[3] += g.p;
    }
    for (double p : pixel_p) total[3] += p;
    for (int k = 0; k < 4; ++k) grad_parameters[4 * b + k] = static_cast<T>(total[k]);
  });
}

template <class T>
long long covered_pairs(const Screen<T>& s, const T* parameters, const CoverageSettings& settings) {
  check_screen(s);
  const Plan<T> plan(parameters, settings);
  long long pairs = 0;
  for (int b = 0; b < s.batch; ++b) {
    const Tiling tiling = tile_faces(s, b, plan.radius, settings.threads);
    T z[kBuffer];
    for (int tile = 0; tile < tiling.bins.grid.cells(); ++tile) {
      const int right = std::min(kTileWidth, s.width - tiling.tile_x(tile));
      for (int i = tiling.bins.start[tile]; i < tiling.bins.start[tile + 1]; ++i)
        face_rectangles(s, b, tiling.bins.item[i], tiling.tile_x(tile), tiling.tile_y(tile), plan.radius,
                        [&](const LocalTriangle<T>& local, const Rect& r) {
                          plan.geometry.z(&local, r, plan.params, z);
                          for (int row = 0; row < r.height; ++row)
                            for (int i = 0; i < r.width && r.x0 + i < right; ++i) pairs += z[row * r.width + i] >= plan.params.lowest;
                        });
    }
  }
  return pairs;
}

#define RNDR_INSTANTIATE(T)                                                                                                    \
  template void face_coverage_forward<T>(const Screen<T>&, const T*, const CoverageSettings&, T*, T*, T*);                     \
  template void face_coverage_backward<T>(const Screen<T>&, const T*, const CoverageSettings&, const T*, const T*, const T*, T*, T*); \
  template long long covered_pairs<T>(const Screen<T>&, const T*, const CoverageSettings&);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
