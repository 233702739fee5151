#include "cuda/barycentrics.h"

#include "raster/barycentrics.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kSums = sizeof(BarycentricSums) / sizeof(double);

template <class T>
__device__ bool find_face(const Screen<T>& s, int64_t face, Status status) {
  if (face < 0) return false;
  if (face >= s.face_count) {
    if (status) report(status, Error::kFragment, face, s.face_count);
    return false;
  }
  return valid_face(s, static_cast<int>(face));
}

template <class T>
__device__ ScreenBarycentrics load_face(const Screen<T>& s, int view, int face, bool perspective) {
  double x[3], y[3], z[3];
  for (int k = 0; k < 3; ++k) {
    const T* v = s.corner(view, face, k);
    x[k] = v[0], y[k] = v[1], z[k] = v[2];
  }
  return screen_barycentrics(x, y, z, perspective);
}

template <class T>
__global__ void forward_kernel(ImageTiles tiles, Screen<T> s, const int64_t* face_id, bool perspective, T* barycentrics, Status status) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  const int64_t face = face_id[pixel.index];
  Fragment<double> f{};
  if (find_face(s, face, status)) {
    double u[3];
    f = load_face(s, pixel.view, static_cast<int>(face), perspective).at(pixel.x + 0.5, pixel.y + 0.5, u);
  }
  for (int k = 0; k < 3; ++k) barycentrics[3 * pixel.index + k] = T(f.b[k]);
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(ImageTiles tiles, Screen<T> s, const int64_t* face_id, bool perspective, const T* grad_barycentrics,
                    const T* grad_depth, Scatter<T> grad_vertices) {
  __shared__ int64_t keys[kTileThreads];
  __shared__ double sums[kTileThreads][kSums];
  const TilePixel pixel(tiles);
  const int64_t face = pixel.in_image ? face_id[pixel.index] : -1;
  const bool hit = find_face(s, face, Status(nullptr));
  const int me = static_cast<int>(threadIdx.x), first = leader_of(hit ? face : -1, keys);
  for (int i = 0; i < kSums; ++i) sums[me][i] = 0;
  __syncthreads();
  ScreenBarycentrics on_face;
  BarycentricSums own{};
  if (hit) {
    on_face = load_face(s, pixel.view, static_cast<int>(face), perspective);
    const T* g = grad_barycentrics + 3 * pixel.index;
    const double grad_b[3] = {g[0], g[1], g[2]};
    own.add(on_face, pixel.x + 0.5, pixel.y + 0.5, grad_b, grad_depth[pixel.index]);
    if (!grad_vertices.ordered()) {
      const double* values = &own.product[0][0];
      for (int i = 0; i < kSums; ++i) atomicAdd(&sums[first][i], values[i]);
    }
  }
  __syncthreads();
  if (!hit || (!grad_vertices.ordered() && first != me)) return;
  if (!grad_vertices.ordered()) memcpy(&own, sums[me], sizeof own);
  double corner[9];
  own.corners(on_face, perspective, corner);
  for (int i = 0; i < 9; ++i) {
    const int64_t vertex = static_cast<int64_t>(pixel.view) * s.vertex_count + s.faces[3 * face + i / 3];
    if (grad_vertices.ordered())
      grad_vertices.put(3 * pixel.index + i / 3, vertex, i % 3, T(corner[i]));
    else
      grad_vertices.add(vertex, i % 3, T(corner[i]));
  }
}

}  // namespace

template <class T>
void barycentrics_forward(const Screen<T>& s, const int64_t* face_id, bool perspective, T* barycentrics, Status status,
                          cudaStream_t stream) {
  check_screen(s, status, stream);
  const ImageTiles tiles = tiles_of(s);
  launch(forward_kernel<T>, tiles.launch(stream), tiles, s, face_id, perspective, barycentrics, status);
}

template <class T>
void barycentrics_backward(const Screen<T>& s, const int64_t* face_id, bool perspective, const T* grad_barycentrics, const T* grad_depth,
                           const Scatter<T>& grad_vertices, cudaStream_t stream) {
  const ImageTiles tiles = tiles_of(s);
  launch(backward_kernel<T>, tiles.launch(stream), tiles, s, face_id, perspective, grad_barycentrics, grad_depth, grad_vertices);
}

#define RNDR_INSTANTIATE(T)                                                                                         \
  template void barycentrics_forward<T>(const Screen<T>&, const int64_t*, bool, T*, Status, cudaStream_t);          \
  template void barycentrics_backward<T>(const Screen<T>&, const int64_t*, bool, const T*, const T*, const Scatter<T>&, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
