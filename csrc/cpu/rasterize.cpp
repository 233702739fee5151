#include "cpu/rasterize.h"

#include <limits>

#include "cpu/coverage_plan.h"
#include "raster/visibility.h"
#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kSide = 32;                // of a tile
constexpr int kStride = kSide + kLanes;  // rows are rounded up to whole lanes
constexpr int kFaces = 1024;             // in a chunk

template <class T>
Bins bin_faces(const Screen<T>& s, int b, bool cull_back_faces, int threads) {
  std::vector<Box> boxes(s.face_count);
  parallel_chunks(s.face_count, kFaces, threads, [&](long begin, long end) {
    for (long f = begin; f < end; ++f) {
      double x[3] = {}, y[3] = {}, z[3] = {};
      boxes[f] = {0, 0, -1, -1};
      if (drawn_area2(s, b, static_cast<int>(f), cull_back_faces, x, y, z) == 0) continue;
      const Extent e = centres_of(x, y, 0, 0, 0, s.width - 1, s.height - 1);
      if (!e.empty()) boxes[f] = {e.x.first + 0.5, e.y.first + 0.5, e.x.last + 0.5, e.y.last + 0.5};
    }
  });
  return bin_boxes({0, 0, kSide, kSide, (s.width + kSide - 1) / kSide, (s.height + kSide - 1) / kSide}, boxes);
}

template <class T>
void rasterize_tile(const Screen<T>& s, int b, int tile_x, int tile_y, const int* faces, int count, const VisibilityKernels<T>& kernels,
                    const RasterizeSettings& settings, const T* behind, int64_t* face_id, T* depth) {
  const int columns = std::min(kSide, s.width - tile_x), rows = std::min(kSide, s.height - tile_y);
  alignas(64) double nearness[kSide * kStride];
  alignas(64) int64_t id[kSide * kStride];
  alignas(64) T before[kSide * kStride];
  std::fill_n(nearness, rows * kStride, -std::numeric_limits<double>::infinity());
  std::fill_n(id, rows * kStride, int64_t(-1));
  const size_t corner = (static_cast<size_t>(b) * s.height + tile_y) * s.width + tile_x;
  if (behind) {
    std::fill_n(before, rows * kStride, std::numeric_limits<T>::infinity());
    for (int row = 0; row < rows; ++row)
      for (int i = 0; i < columns; ++i) {
        const T layer = behind[corner + static_cast<size_t>(row) * s.width + i];
        before[row * kStride + i] = layer > 0 ? layer : std::numeric_limits<T>::infinity();
      }
  }
  for (int i = 0; i < count; ++i) {
    double x[3] = {}, y[3] = {}, z[3] = {1, 1, 1};
    const double area = drawn_area2(s, b, faces[i], false, x, y, z);
    const Extent e = centres_of(x, y, 0, tile_x, tile_y, tile_x + columns - 1, tile_y + rows - 1);
    const FacePlanes planes = face_planes(x, y, z, area, tile_x, tile_y, settings.perspective);
    const Rect r{e.x.first - tile_x, e.y.first - tile_y, round_up(e.x.last - e.x.first + 1), e.y.last - e.y.first + 1};
    kernels.cover(&planes, r, kStride, settings.perspective, faces[i], behind ? before : nullptr, nearness, id);
  }
  for (int row = 0; row < rows; ++row) {
    const size_t to = corner + static_cast<size_t>(row) * s.width;
    for (int i = 0; i < columns; ++i) {
      const int from = row * kStride + i;
      face_id[to + i] = id[from];
      depth[to + i] = id[from] >= 0 ? T(depth_of_nearness(nearness[from], settings.perspective)) : T(0);
    }
  }
}

}  // namespace

template <class T>
void rasterize(const Screen<T>& s, const RasterizeSettings& settings, const T* behind, int64_t* face_id, T* depth) {
  check_screen(s);
  const VisibilityKernels<T>& kernels = table<T>(simd_level(settings.level)).visibility;
  const ThreadSplit split(s.batch, settings.threads);
  parallel_items(s.batch, split.views, [&](int b) {
    const Bins bins = bin_faces(s, b, settings.cull_back_faces, split.inside);
    parallel_items(bins.grid.cells(), split.inside, [&](int tile) {
      rasterize_tile(s, b, tile % bins.grid.columns * kSide, tile / bins.grid.columns * kSide, bins.item.data() + bins.start[tile],
                     bins.start[tile + 1] - bins.start[tile], kernels, settings, behind, face_id, depth);
    });
  });
}

template void rasterize<float>(const Screen<float>&, const RasterizeSettings&, const float*, int64_t*, float*);
template void rasterize<double>(const Screen<double>&, const RasterizeSettings&, const double*, int64_t*, double*);

}  // namespace rndr
