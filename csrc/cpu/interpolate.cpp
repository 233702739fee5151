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
      int64_t current = -1;
      size_t corner[3] = {0, 0, 0};
      for (const size_t stop = at + static_cast<size_t>(end - row) * grid.width; at < stop; ++at) {
        T* to = out + at * channels;
        if (face_id[at] < 0) {
          for (int c = 0; c < channels; ++c) to[c] = T(0);
          continue;
        }
        if (face_id[at] != current) find_corners(a, b, current = face_id[at], corner);
        const T *w = barycentrics + 3 * at, *a0 = a.values + corner[0] * channels, *a1 = a.values + corner[1] * channels,
                *a2 = a.values + corner[2] * channels;
        for (int c = 0; c < channels; ++c) to[c] = w[0] * a0[c] + w[1] * a1[c] + w[2] * a2[c];
      }
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
      int64_t current = -1;
      size_t corner[3] = {0, 0, 0};
      std::vector<double> heap(constant.value ? 0 : 3 * channels);
      double fixed[3 * (constant.value ? constant.value : 1)];
      double* total = constant.value ? fixed : heap.data();
      const auto flush = [&] {
        for (int k = 0; k < 3 && current >= 0; ++k) sums.add(chunk, corner[k], total + k * channels);
      };
      for (const size_t stop = at + static_cast<size_t>(end - row) * grid.width; at < stop; ++at) {
        T* to = grad_barycentrics + 3 * at;
        if (face_id[at] < 0) {
          to[0] = to[1] = to[2] = T(0);
          continue;
        }
        if (face_id[at] != current) {
          flush();
          find_corners(a, b, current = face_id[at], corner);
          std::fill_n(total, 3 * channels, 0.0);
        }
        const T *w = barycentrics + 3 * at, *g = grad + at * channels;
        for (int k = 0; k < 3; ++k) {
          const T* value = a.values + corner[k] * channels;
          T dot = T(0);
          for (int c = 0; c < channels; ++c) {
            dot += g[c] * value[c];
            total[k * channels + c] += w[k] * g[c];
          }
          to[k] = dot;
        }
      }
      flush();
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
