#include "cuda/antialias.h"

#include "raster/antialias.h"

RNDR_NAMESPACE_BEGIN
namespace {

__global__ void ring_kernel(SortedEdges edges, int count, int* next) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const int64_t key = edges.key[i];
  int to = i;
  if (key >= 0 && i + 1 < count && edges.key[i + 1] == key)
    to = i + 1;
  else if (key >= 0)
    while (to > 0 && edges.key[to - 1] == key) --to;
  next[edges.order[i]] = static_cast<int>(edges.order[to]);
}

template <class T>
__device__ bool usable(const Screen<T>& s, int64_t face, Status status) {
  if (face < 0) return true;
  if (face >= s.face_count) {
    report(status, Error::kFragment, face, s.face_count);
    return false;
  }
  return valid_face(s, static_cast<int>(face));
}

template <class T>
__global__ void crossing_kernel(ImageTiles tiles, Screen<T> s, const int* next, const int64_t* face_id, const T* depth, int32_t* crossings,
                                Status status) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  const size_t here = pixel.index;
  for (int axis = 0; axis < 2; ++axis) {
    int code = -1;
    const bool neighbour = axis == 0 ? pixel.x + 1 < s.width : pixel.y + 1 < s.height;
    const size_t there = here + (axis == 0 ? 1 : s.width);
    if (neighbour && face_id[here] != face_id[there] && usable(s, face_id[here], status) && usable(s, face_id[there], status))
      code = crossing_code(Axis<T>{s, pixel.view, axis}, next, face_id[here], face_id[there], depth[here], depth[there],
                           axis == 0 ? pixel.x : pixel.y, axis == 0 ? pixel.y : pixel.x);
    crossings[2 * here + axis] = code;
  }
}

// Calls body(axis, blend, from, to, whether it is this pixel's own) for the crossings that touch a pixel: those with its right and lower
// neighbours, which are its own, and those with its left and upper ones. So every sum of an image has one writer and one order.
template <class T, class Body>
__device__ void for_crossings_at(const Screen<T>& s, const TilePixel& pixel, const int32_t* crossings, const Body& body) {
  for (int side = 0; side < 4; ++side) {
    const int axis = side % 2;
    const bool own = side < 2;
    const int column = pixel.x - (!own && axis == 0), row = pixel.y - (!own && axis == 1);
    if (column < 0 || row < 0) continue;
    const size_t here = (static_cast<size_t>(pixel.view) * s.height + row) * s.width + column;
    const int32_t code = crossings[2 * here + axis];
    if (code < 0) continue;
    const Blend blend = blend_of(s, pixel.view, axis, code, column, row);
    const size_t there = here + (axis == 0 ? 1 : s.width);
    body(axis, blend, blend.second ? there : here, blend.second ? here : there, own);
  }
}

template <class T>
__global__ void blend_kernel(ImageTiles tiles, Screen<T> s, const T* image, int channels, const int32_t* crossings, T* out) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  for (int c = 0; c < channels; ++c) {
    T sum = image[pixel.index * channels + c];
    for_crossings_at(s, pixel, crossings, [&](int, const Blend& blend, size_t from, size_t to, bool) {
      if ((blend.into_to() ? to : from) == pixel.index) sum += T(blend.over) * (image[from * channels + c] - image[to * channels + c]);
    });
    out[pixel.index * channels + c] = sum;
  }
}

template <class T>
__global__ void backward_kernel(ImageTiles tiles, Screen<T> s, const T* image, int channels, const int32_t* crossings, const T* grad,
                                T* grad_image, Scatter<T> grad_vertices) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  T* own_grad = grad_image + pixel.index * channels;
  for (int c = 0; c < channels; ++c) own_grad[c] = grad[pixel.index * channels + c];
  for_crossings_at(s, pixel, crossings, [&](int axis, const Blend& blend, size_t from, size_t to, bool own) {
    const T* target = grad + (blend.into_to() ? to : from) * channels;
    const T over = from == pixel.index ? T(blend.over) : -T(blend.over);
    double slope = 0;
    for (int c = 0; c < channels; ++c) {
      own_grad[c] += over * target[c];
      slope += static_cast<double>(target[c]) * (image[from * channels + c] - image[to * channels + c]);
    }
    if (!own) return;
    double end[4];
    edge_crossing_gradient(blend.crossing, blend.sign * slope, end);
    for (int i = 0; i < 4; ++i) {
      const int64_t row = static_cast<int64_t>(pixel.view) * s.vertex_count + (i < 2 ? blend.below : blend.above);
      const int column = i % 2 == 0 ? axis : 1 - axis;
      if (grad_vertices.ordered())
        grad_vertices.put(4 * pixel.index + 2 * axis + i / 2, row, column, T(end[i]));
      else
        grad_vertices.add(row, column, T(end[i]));
    }
  });
}

}  // namespace

template <class T>
void antialias_forward(const Screen<T>& s, const SortedEdges& edges, int* next, const int64_t* face_id, const T* depth, const T* image,
                       int channels, int32_t* crossings, T* out, Status status, cudaStream_t stream) {
  check_screen(s, status, stream);
  const ImageTiles tiles = tiles_of(s);
  launch(ring_kernel, {blocks_for(3ll * s.face_count, 256), 256, 0, stream}, edges, 3 * s.face_count, next);
  launch(crossing_kernel<T>, tiles.launch(stream), tiles, s, next, face_id, depth, crossings, status);
  launch(blend_kernel<T>, tiles.launch(stream), tiles, s, image, channels, crossings, out);
}

template <class T>
void antialias_backward(const Screen<T>& s, const T* image, int channels, const int32_t* crossings, const T* grad, T* grad_image,
                        const Scatter<T>& grad_vertices, cudaStream_t stream) {
  const ImageTiles tiles = tiles_of(s);
  launch(backward_kernel<T>, tiles.launch(stream), tiles, s, image, channels, crossings, grad, grad_image, grad_vertices);
}

#define RNDR_INSTANTIATE(T)                                                                                                              \
  template void antialias_forward<T>(const Screen<T>&, const SortedEdges&, int*, const int64_t*, const T*, const T*, int, int32_t*, T*, Status, \
                                     cudaStream_t);                                                                                      \
  template void antialias_backward<T>(const Screen<T>&, const T*, int, const int32_t*, const T*, T*, const Scatter<T>&, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
