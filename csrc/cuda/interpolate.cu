#include "cuda/interpolate.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kChannelsTogether = 4;  // in shared memory

// Rows of the attributes at the corners of a face; false if there are none.
template <class T>
__device__ bool find_corners(const FaceAttributes<T>& a, int view, int64_t face, int64_t corner[3], Status status) {
  if (face < 0) return false;
  if (face >= a.face_count) {
    if (status) report(status, Error::kFragment, face, a.face_count);
    return false;
  }
  for (int k = 0; k < 3; ++k) {
    const int64_t row = a.faces[3 * face + k];
    if (row < 0 || row >= a.count) {
      if (status) report(status, Error::kAttribute, face, row, a.count);
      return false;
    }
    corner[k] = static_cast<int64_t>(view) * a.count + row;
  }
  return true;
}

template <class T>
__global__ void interpolate_forward_kernel(ImageTiles tiles, FaceAttributes<T> a, const int64_t* face_id, const T* barycentrics, T* out,
                                           Status status) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  int64_t corner[3];
  const bool hit = find_corners(a, pixel.view, face_id[pixel.index], corner, status);
  const T* w = barycentrics + 3 * pixel.index;
  T* to = out + pixel.index * a.channels;
  for (int c = 0; c < a.channels; ++c)
    to[c] = hit ? blend_corners(w, a.values[corner[0] * a.channels + c], a.values[corner[1] * a.channels + c],
                                a.values[corner[2] * a.channels + c])
                : T(0);
}

template <class T>
__global__ void interpolate_backward_kernel(ImageTiles tiles, FaceAttributes<T> a, const int64_t* face_id, const T* barycentrics,
                                            const T* grad, Scatter<T> grad_values, T* grad_barycentrics) {
  __shared__ int64_t keys[kTileThreads];
  __shared__ T sums[kTileThreads][3 * kChannelsTogether];
  const TilePixel pixel(tiles);
  const int64_t face = pixel.in_image ? face_id[pixel.index] : -1;
  int64_t corner[3];
  const bool hit = find_corners(a, pixel.view, face, corner, Status(nullptr));
  const int me = static_cast<int>(threadIdx.x), first = leader_of(hit ? face : -1, keys);
  const T* g = grad + pixel.index * a.channels;
  T w[3] = {T(0), T(0), T(0)}, dot[3] = {T(0), T(0), T(0)};
  for (int k = 0; k < 3 && hit; ++k) w[k] = barycentrics[3 * pixel.index + k];
  for (int begin = 0; begin < a.channels; begin += kChannelsTogether) {
    const int count = a.channels - begin < kChannelsTogether ? a.channels - begin : kChannelsTogether;
    for (int i = 0; i < 3 * count; ++i) sums[me][i] = T(0);
    __syncthreads();
    for (int k = 0; k < 3 && hit; ++k)
      for (int i = 0; i < count; ++i) {
        const int c = begin + i;
        dot[k] += g[c] * a.values[corner[k] * a.channels + c];
        if (grad_values.ordered())
          grad_values.put(3 * pixel.index + k, corner[k], c, w[k] * g[c]);
        else
          atomicAdd(&sums[first][k * count + i], w[k] * g[c]);
      }
    __syncthreads();
    if (!hit || first != me || grad_values.ordered()) continue;
    for (int k = 0; k < 3; ++k)
      for (int i = 0; i < count; ++i) grad_values.add(corner[k], begin + i, sums[me][k * count + i]);
  }
  if (!pixel.in_image) return;
  for (int k = 0; k < 3; ++k) grad_barycentrics[3 * pixel.index + k] = dot[k];
}

}  // namespace

template <class T>
void interpolate_forward(const ImageTiles& tiles, const FaceAttributes<T>& a, const int64_t* face_id, const T* barycentrics, T* out,
                         Status status, cudaStream_t stream) {
  launch(interpolate_forward_kernel<T>, tiles.launch(stream), tiles, a, face_id, barycentrics, out, status);
}

template <class T>
void interpolate_backward(const ImageTiles& tiles, const FaceAttributes<T>& a, const int64_t* face_id, const T* barycentrics,
                          const T* grad, const Scatter<T>& grad_values, T* grad_barycentrics, cudaStream_t stream) {
  launch(interpolate_backward_kernel<T>, tiles.launch(stream), tiles, a, face_id, barycentrics, grad, grad_values, grad_barycentrics);
}

#define RNDR_INSTANTIATE(T)                                                                                                       \
  template void interpolate_forward<T>(const ImageTiles&, const FaceAttributes<T>&, const int64_t*, const T*, T*, Status, cudaStream_t); \
  template void interpolate_backward<T>(const ImageTiles&, const FaceAttributes<T>&, const int64_t*, const T*, const T*,           \
                                        const Scatter<T>&, T*, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
