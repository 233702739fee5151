#include "cuda/texture.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kTaps = 8;              // of a pixel: 2 levels of 4
constexpr int kChannelsTogether = 4;  // in shared memory

// False for coordinates whose texels cannot be numbered.
template <class T>
__device__ bool look_up(const Texture<T>& texture, const T* uv, const T* lod, size_t at, Lookup<T>& l) {
  const T u = uv[2 * at], v = uv[2 * at + 1];
  if (!(abs_(u) <= T(kFarthestUv)) || !(abs_(v) <= T(kFarthestUv))) return false;
  l = texture_lookup(texture.layout, TextureLevels{texture.layout}, u, v, texture.layout.levels > 1 ? lod[at] : T(0));
  return true;
}

template <class T>
__global__ void forward_kernel(ImageTiles tiles, Texture<T> texture, const T* uv, const T* lod, T* out, Status status) {
  const TilePixel pixel(tiles);
  if (!pixel.in_image) return;
  Lookup<T> l;
  if (!look_up(texture, uv, lod, pixel.index, l)) {
    const T u = uv[2 * pixel.index];
    report_number(status, Error::kUv, abs_(u) <= T(kFarthestUv) ? uv[2 * pixel.index + 1] : u);
    l.levels = 0;
  }
  const T* texels = texture.texels + texture.first_texel(pixel.view, tiles.batch) * texture.channels;
  for (int c = 0; c < texture.channels; ++c) {
    T sum = T(0);
    for (int i = 0; i < l.levels; ++i)
      for (int k = 0; k < 4; ++k) sum += l.weight(i, k) * texels[l.taps[i].texel[k] * texture.channels + c];
    out[pixel.index * texture.channels + c] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(ImageTiles tiles, Texture<T> texture, const T* uv, const T* lod, const T* grad, T* grad_uv, Scatter<T> grad_texels,
                    T* grad_lod) {
  __shared__ int64_t keys[kTileThreads];
  __shared__ T sums[kTileThreads][kChannelsTogether];
  const TilePixel pixel(tiles);
  const int channels = texture.channels, me = static_cast<int>(threadIdx.x);
  const T* g = grad + pixel.index * channels;
  Lookup<T> l;
  bool any = false;  // the background has no gradient
  for (int c = 0; c < channels && pixel.in_image; ++c) any |= g[c] != T(0);
  if (!any || !look_up(texture, uv, lod, pixel.index, l)) l.levels = 0;
  const size_t base = texture.first_texel(pixel.view, tiles.batch);
  T du = T(0), dv = T(0), dlod = T(0);
  for (int i = 0; i < l.levels; ++i)
    for (int k = 0; k < 4; ++k) {
      const T* from = texture.texels + (base + l.taps[i].texel[k]) * channels;
      T dot = T(0);
      for (int c = 0; c < channels; ++c) dot += g[c] * from[c];
      add_tap_gradient(l, i, k, dot, du, dv, dlod);
    }
  if (pixel.in_image) {
    grad_uv[2 * pixel.index] = du, grad_uv[2 * pixel.index + 1] = dv;
    if (texture.layout.levels > 1) grad_lod[pixel.index] = dlod;
  }
  for (int tap = 0; tap < kTaps; ++tap) {
    const int level = tap / 4, k = tap % 4;
    const T weight = level < l.levels ? l.weight(level, k) : T(0);
    const int64_t texel = weight != T(0) ? static_cast<int64_t>(base + l.taps[level].texel[k]) : -1;
    if (grad_texels.ordered()) {
      for (int c = 0; c < channels && texel >= 0; ++c) grad_texels.put(kTaps * pixel.index + tap, texel, c, weight * g[c]);
      continue;
    }
    // Neighbours that blend the same texel, as all do under magnification, meet in shared memory first.
    const int first = leader_of(texel, keys);
    for (int begin = 0; begin < channels; begin += kChannelsTogether) {
      const int count = min_(kChannelsTogether, channels - begin);
      for (int i = 0; i < count; ++i) sums[me][i] = T(0);
      __syncthreads();
      for (int i = 0; i < count && texel >= 0; ++i) atomicAdd(&sums[first][i], weight * g[begin + i]);
      __syncthreads();
      for (int i = 0; i < count && texel >= 0 && first == me; ++i) grad_texels.add(texel, begin + i, sums[me][i]);
    }
    __syncthreads();
  }
}

}  // namespace

template <class T>
void texture_forward(const ImageTiles& tiles, const Texture<T>& texture, const T* uv, const T* lod, T* out, Status status,
                     cudaStream_t stream) {
  launch(forward_kernel<T>, tiles.launch(stream), tiles, texture, uv, lod, out, status);
}

template <class T>
void texture_backward(const ImageTiles& tiles, const Texture<T>& texture, const T* uv, const T* lod, const T* grad, T* grad_uv,
                      const Scatter<T>& grad_texels, T* grad_lod, cudaStream_t stream) {
  launch(backward_kernel<T>, tiles.launch(stream), tiles, texture, uv, lod, grad, grad_uv, grad_texels, grad_lod);
}

#define RNDR_INSTANTIATE(T)                                                                                                       \
  template void texture_forward<T>(const ImageTiles&, const Texture<T>&, const T*, const T*, T*, Status, cudaStream_t);           \
  template void texture_backward<T>(const ImageTiles&, const Texture<T>&, const T*, const T*, const T*, T*, const Scatter<T>&, T*, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
