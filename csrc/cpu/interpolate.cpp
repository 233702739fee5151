#include "cpu/interpolate.h"

namespace rndr {
namespace {

// Rows of the attributes at the corners of a face.
template <class T>
void find_corners(const FaceAttributes<T>& a, int b, int64_t face, size_t corner[3]) {
  check_face(face, a.face_count);
  for (int k = 0; k < 3; ++k) {
    const int64_t i = a.faces[3 * face + k];
    if (i < 0 || i >= a.count)
      throw std::invalid_argument("attribute_faces: face " + std::to_string(face) + " refers to row " + std::to_string(i) +
                                  ", but there are " + std::to_string(a.count));
    corner[k] = static_cast<size_t>(b) * a.count + i;
  }
}

}  // namespace

template <class T>
void interpolate_forward(const PixelGrid& grid, const FaceAttributes<T>& a, const int64_t* face_id, const T* barycentrics, int threads,
                         T* out) {
  by_channels(a.channels, [&](auto constant) {
    const int channels = constant.value ? constant.value : a.channels;
    parallel_rows(grid, threads, [&](int, int b, int row, int end, size_t at) {
      for_each_run(face_id, at, at + static_cast<size_t>(end - row) * grid.width, [&](int64_t face, size_t first, size_t last) {
        if (face < 0) {
          std::fill(out + first * channels, out + last * channels, T(0));
          return;
        }
        size_t corner[3];
        find_corners(a, b, face, corner);
        const T *a0 = a.values + corner[0] * channels, *a1 = a.values + corner[1] * channels, *a2 = a.values + corner[2] * channels;
        for (size_t i = first; i < last; ++i) {
          const T* w = barycentrics + 3 * i;
          for (int c = 0; c < channels; ++c) out[i * channels + c] = blend_corners(w, a0[c], a1[c], a2[c]);
        }
      });
    });
  });
}

template <class T>
void interpolate_backward(const PixelGrid& grid, const FaceAttributes<T>& a, const int64_t* face_id, const T* barycentrics, const T* grad,
                          int threads, T* grad_values, T* grad_barycentrics) {
  std::fill_n(grad_values, static_cast<size_t>(grid.batch) * a.count * a.channels, T(0));
  OrderedSums<T> sums(grad_values, a.channels, grid.chunks(), threads);
  by_channels(a.channels, [&](auto constant) {
    const int channels = constant.value ? constant.value : a.channels;
    parallel_rows(grid, threads, [&](int chunk, int b, int row, int end, size_t at) {
      std::vector<double> heap(constant.value ? 0 : 3 * channels);
      for_each_run(face_id, at, at + static_cast<size_t>(end - row) * grid.width, [&](int64_t face, size_t first, size_t last) {
        if (face < 0) {
          std::fill(grad_barycentrics + 3 * first, grad_barycentrics + 3 * last, T(0));
          return;
        }
        size_t corner[3];
        find_corners(a, b, face, corner);
        double fixed[3 * (constant.value ? constant.value : 1)];
        double* total = constant.value ? fixed : heap.data();
        std::fill_n(total, 3 * channels, 0.0);
        for (int k = 0; k < 3; ++k) {
          const T* value = a.values + corner[k] * channels;
          for (size_t i = first; i < last; ++i) {
            const T w = barycentrics[3 * i + k], *g = grad + i * channels;
            T dot = T(0);
            for (int c = 0; c < channels; ++c) {
              dot += g[c] * value[c];
              total[k * channels + c] += w * g[c];
            }
            grad_barycentrics[3 * i + k] = dot;
          }
          sums.add(chunk, corner[k], total + k * channels);
        }
      });
    });
  });
  sums.finish();
}

#define RNDR_INSTANTIATE(T)                                                                                                      \
  template void interpolate_forward<T>(const PixelGrid&, const FaceAttributes<T>&, const int64_t*, const T*, int, T*);            \
  template void interpolate_backward<T>(const PixelGrid&, const FaceAttributes<T>&, const int64_t*, const T*, const T*, int, T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
