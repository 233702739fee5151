#include "cpu/barycentrics.h"

#include "cpu/pixel_rows.h"
#include "raster/barycentrics.h"

namespace rndr {
namespace {

template <class T>
ScreenBarycentrics load_face(const Screen<T>& s, int b, int64_t face, bool perspective) {
  check_face(face, s.face_count);
  double x[3], y[3], z[3];
  for (int k = 0; k < 3; ++k) {
    const T* v = s.view(b) + 3 * s.faces[3 * face + k];
    x[k] = v[0], y[k] = v[1], z[k] = v[2];
  }
  return screen_barycentrics(x, y, z, perspective);
}

template <class T>
PixelGrid grid_of(const Screen<T>& s) { return {s.batch, s.height, s.width}; }

}  // namespace

template <class T>
void barycentrics_forward(const Screen<T>& s, const int64_t* face_id, bool perspective, int threads, T* barycentrics) {
  check_screen(s);
  parallel_rows(grid_of(s), threads, [&](int, int b, int row, int end, size_t at) {
    for (; row < end; ++row, at += s.width)
      for_each_run(face_id, at, at + s.width, [&](int64_t face, size_t first, size_t last) {
        if (face < 0) {
          std::fill(barycentrics + 3 * first, barycentrics + 3 * last, T(0));
          return;
        }
        const ScreenBarycentrics on_face = load_face(s, b, face, perspective);
        for (size_t i = first; i < last; ++i) {
          double u[3];
          const Fragment<double> f = on_face.at(i - at + 0.5, row + 0.5, u);
          for (int k = 0; k < 3; ++k) barycentrics[3 * i + k] = T(f.b[k]);
        }
      });
  });
}

template <class T>
void barycentrics_backward(const Screen<T>& s, const int64_t* face_id, bool perspective, int threads, const T* grad_barycentrics,
                           const T* grad_depth, T* grad_vertices) {
  check_screen(s);
  std::fill_n(grad_vertices, static_cast<size_t>(s.batch) * s.vertex_count * 3, T(0));
  const PixelGrid grid = grid_of(s);
  OrderedSums<T> sums(grad_vertices, 3, grid.chunks(), threads);
  parallel_rows(grid, threads, [&](int chunk, int b, int row, int end, size_t at) {
    for (; row < end; ++row, at += s.width)
      for_each_run(face_id, at, at + s.width, [&](int64_t face, size_t first, size_t last) {
        if (face < 0) return;
        const ScreenBarycentrics on_face = load_face(s, b, face, perspective);
        BarycentricSums total{};
        for (size_t i = first; i < last; ++i) {
          const T* g = grad_barycentrics + 3 * i;
          const double grad_b[3] = {g[0], g[1], g[2]};
          total.add(on_face, i - at + 0.5, row + 0.5, grad_b, grad_depth[i]);
        }
        double corner[9];
        total.corners(on_face, perspective, corner);
        for (int k = 0; k < 3; ++k) sums.add(chunk, static_cast<size_t>(b) * s.vertex_count + s.faces[3 * face + k], corner + 3 * k);
      });
  });
  sums.finish();
}

#define RNDR_INSTANTIATE(T)                                                                             \
  template void barycentrics_forward<T>(const Screen<T>&, const int64_t*, bool, int, T*);               \
  template void barycentrics_backward<T>(const Screen<T>&, const int64_t*, bool, int, const T*, const T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
