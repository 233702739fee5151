#include "cpu/rasterize.h"

#include "cpu/coverage_plan.h"
#include "math/triangle.h"
#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kTile = 32;

template <class T>
void rasterize_tile(const Screen<T>& s, int b, int tile_x, int tile_y, const int* faces, int count, bool perspective,
                    bool cull_back_faces, int64_t* face_id, T* barycentrics, T* depth) {
  const int right = std::min(tile_x + kTile, s.width) - 1, bottom = std::min(tile_y + kTile, s.height) - 1;
  for (int i = 0; i < count; ++i) {
    const int face = faces[i];
    double x[3], y[3], z[3];
    s.corners(b, face, x, y);
    for (int k = 0; k < 3; ++k) z[k] = s.view(b)[3 * s.faces[3 * static_cast<size_t>(face) + k] + 2];
    const double area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
    // y points down: a face that is counter-clockwise seen from outside has a negative area on the screen.
    if (area == 0 || (cull_back_faces && area > 0)) continue;
    const Box box = face_box(s, b, face, 0);
    const PixelRange xs = centres_within(box.x0, box.x1, tile_x, right), ys = centres_within(box.y0, box.y1, tile_y, bottom);
    const TriangleSides sides(x, y, area > 0 ? 1 : -1);
    for (int row = ys.first; row <= ys.last; ++row)
      for (int column = xs.first; column <= xs.last; ++column) {
        const double px = column + 0.5, py = row + 0.5;
        double w[3];
        for (int k = 0; k < 3; ++k) w[k] = sides.area((k + 1) % 3, px, py);  // the edge opposite to vertex k
        if (w[0] < 0 || w[1] < 0 || w[2] < 0) continue;
        if (perspective)
          for (int k = 0; k < 3; ++k) w[k] /= z[k];
        const double total = w[0] + w[1] + w[2];
        double here = 0;
        for (int k = 0; k < 3; ++k) here += w[k] / total * z[k];
        const size_t at = (static_cast<size_t>(b) * s.height + row) * s.width + column;
        if (face_id[at] >= 0 && !(T(here) < depth[at])) continue;
        face_id[at] = face;
        depth[at] = T(here);
        for (int k = 0; k < 3; ++k) barycentrics[3 * at + k] = T(w[k] / total);
      }
  }
}

}  // namespace

template <class T>
void rasterize(const Screen<T>& s, bool perspective, bool cull_back_faces, int threads, int64_t* face_id, T* barycentrics, T* depth) {
  check_screen(s);
  const size_t pixels = static_cast<size_t>(s.batch) * s.height * s.width;
  std::fill_n(face_id, pixels, int64_t(-1));
  std::fill_n(barycentrics, 3 * pixels, T(0));
  std::fill_n(depth, pixels, T(0));
  const ThreadSplit split(s.batch, threads);
  parallel_items(s.batch, split.views, [&](int b) {
    std::vector<Box> boxes(s.face_count);
    for (int f = 0; f < s.face_count; ++f) boxes[f] = face_box(s, b, f, 0);
    const Bins bins = bin_boxes({0, 0, kTile, kTile, (s.width + kTile - 1) / kTile, (s.height + kTile - 1) / kTile}, boxes);
    parallel_items(bins.grid.cells(), split.inside, [&](int tile) {
      rasterize_tile(s, b, tile % bins.grid.columns * kTile, tile / bins.grid.columns * kTile, bins.item.data() + bins.start[tile],
                     bins.start[tile + 1] - bins.start[tile], perspective, cull_back_faces, face_id, barycentrics, depth);
    });
  });
}

template void rasterize<float>(const Screen<float>&, bool, bool, int, int64_t*, float*, float*);
template void rasterize<double>(const Screen<double>&, bool, bool, int, int64_t*, double*, double*);

}  // namespace rndr
