#include "cpu/barycentrics.h"

#include "cpu/pixel_rows.h"
#include "raster/barycentrics.h"

namespace rndr {
namespace {

template <class T>
ScreenBarycentrics load_face(const Screen<T>& s, int b, int64_t face) {
  check_face(face, s.face_count);
  double x[3], y[3], z[3];
  for (int k = 0; k < 3; ++k) {
    const T* v = s.view(b) + 3 * s.faces[3 * face + k];
    x[k] = v[0], y[k] = v[1], z[k] = v[2];
  }
  return screen_barycentrics(x, y, z);
}

template <class T>
PixelGrid grid_of(const Screen<T>& s) { return {s.batch, s.height, s.width}; }

}  // namespace

template <class T>
void barycentrics_forward(const Screen<T>& s, const int64_t* face_id, bool perspective, int threads, T* barycentrics) {
  check_screen(s);
  parallel_rows(grid_of(s), threads, [&](int, int b, int row, int end, size_t at) {
    ScreenBarycentrics face{};
    int64_t current = -1;
    for (; row < end; ++row)
      for (int column = 0; column < s.width; ++column, ++at) {
        T* out = barycentrics + 3 * at;
        if (face_id[at] < 0) {
          out[0] = out[1] = out[2] = T(0);
          continue;
        }
        if (face_id[at] != current) face = load_face(s, b, current = face_id[at]);
        double lambda[3];
        face.at(column + 0.5, row + 0.5, lambda);
        const Fragment<double> f = make_fragment(lambda, face.z, perspective);
        for (int k = 0; k < 3; ++k) out[k] = T(f.b[k]);
      }
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
    ScreenBarycentrics face{};
    int64_t current = -1;
    double corner[9];
    const auto flush = [&] {
      if (current < 0) return;
      for (int k = 0; k < 3; ++k) sums.add(chunk, static_cast<size_t>(b) * s.vertex_count + s.faces[3 * current + k], corner + 3 * k);
    };
    for (; row < end; ++row)
      for (int column = 0; column < s.width; ++column, ++at) {
        if (face_id[at] < 0) continue;
        if (face_id[at] != current) {
          flush();
          face = load_face(s, b, current = face_id[at]);
          std::fill_n(corner, 9, 0.0);
        }
        const T* g = grad_barycentrics + 3 * at;
        const double grad_b[3] = {g[0], g[1], g[2]};
        add_barycentric_gradient(face, column + 0.5, row + 0.5, perspective, grad_b, grad_depth[at], corner);
      }
    flush();
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
