#include "cpu/texture.h"

#include <cmath>

namespace rndr {
namespace {

template <class T>
class Sampler {
 public:
  Sampler(const PixelGrid& grid, const Texture<T>& texture) : texture_(texture), batch_(grid.batch) {
    for (int i = 0; i < texture.layout.levels; ++i) levels_.push_back(texture_level(texture.layout, i));
  }
  // First texel of the texture that view b reads.
  size_t base(int b) const { return texture_.first_texel(b, batch_); }

  Lookup<T> lookup(const T* uv, const T* lod, size_t at) const {
    return texture_lookup(texture_.layout, levels_.data(), uv[2 * at], uv[2 * at + 1], texture_.layout.levels > 1 ? lod[at] : T(0));
  }

 private:
  const Texture<T>& texture_;
  int batch_;
  std::vector<TextureLevel> levels_;
};

template <class T>
bool is_zero(const T* values, int count) {
  for (int i = 0; i < count; ++i)
    if (values[i] != T(0)) return false;
  return true;
}

}  // namespace

template <class T>
void texture_forward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, int threads, T* out) {
  check_uv(uv, 2 * static_cast<size_t>(grid.batch) * grid.height * grid.width);
  const Sampler<T> sampler(grid, texture);
  by_channels(texture.channels, [&](auto constant) {
    const int channels = constant.value ? constant.value : texture.channels;
    parallel_rows(grid, threads, [&](int, int b, int row, int end, size_t at) {
      const T* texels = texture.texels + sampler.base(b) * channels;
      for (const size_t stop = at + static_cast<size_t>(end - row) * grid.width; at < stop; ++at) {
        const Lookup<T> l = sampler.lookup(uv, lod, at);
        T* to = out + at * channels;
        for (int c = 0; c < channels; ++c) to[c] = T(0);
        for (int i = 0; i < l.levels; ++i)
          for (int k = 0; k < 4; ++k) {
            const T w = l.weight(i, k);
            const T* from = texels + l.taps[i].texel[k] * channels;
            for (int c = 0; c < channels; ++c) to[c] += w * from[c];
          }
      }
    });
  });
}

template <class T>
void texture_backward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, const T* grad, int threads, T* grad_uv,
                      T* grad_texels, T* grad_lod) {
  const Sampler<T> sampler(grid, texture);
  by_channels(texture.channels, [&](auto constant) {
    const int channels = constant.value ? constant.value : texture.channels;
    parallel_rows(grid, threads, [&](int, int b, int row, int end, size_t at) {
      const T* texels = texture.texels + sampler.base(b) * channels;
      for (const size_t stop = at + static_cast<size_t>(end - row) * grid.width; at < stop; ++at) {
        const T* g = grad + at * channels;
        if (is_zero(g, channels)) {  // such as all of the background
          grad_uv[2 * at] = grad_uv[2 * at + 1] = T(0);
          if (texture.layout.levels > 1) grad_lod[at] = T(0);
          continue;
        }
        const Lookup<T> l = sampler.lookup(uv, lod, at);
        T du = T(0), dv = T(0), dlod = T(0);
        for (int i = 0; i < l.levels; ++i)
          for (int k = 0; k < 4; ++k) {
            const T* from = texels + l.taps[i].texel[k] * channels;
            T dot = T(0);
            for (int c = 0; c < channels; ++c) dot += g[c] * from[c];
            add_tap_gradient(l, i, k, dot, du, dv, dlod);
          }
        grad_uv[2 * at] = du, grad_uv[2 * at + 1] = dv;
        if (l.levels > 1) grad_lod[at] = dlod;
      }
    });
    // Bands of texels, each filled by one thread in the order of the pixels: no two threads meet, and the sums do not depend on how
    // many there are.
    const size_t count = static_cast<size_t>(texture.textures) * texture.count;
    std::fill_n(grad_texels, count * channels, T(0));
    const int bands = std::max(1, threads);
    parallel_items(bands, threads, [&](int band) {
      const size_t first = count * band / bands, last = count * (band + 1) / bands;
      size_t at = 0;
      for (int b = 0; b < grid.batch; ++b)
        for (size_t i = 0; i < static_cast<size_t>(grid.height) * grid.width; ++i, ++at) {
          if (is_zero(grad + at * channels, channels)) continue;
          const Lookup<T> l = sampler.lookup(uv, lod, at);
          for (int level = 0; level < l.levels; ++level)
            for (int k = 0; k < 4; ++k) {
              const size_t texel = sampler.base(b) + l.taps[level].texel[k];
              const T w = l.weight(level, k);
              if (texel < first || texel >= last || w == T(0)) continue;
              for (int c = 0; c < channels; ++c) grad_texels[texel * channels + c] += w * grad[at * channels + c];
            }
        }
    });
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                            \
  template void texture_forward<T>(const PixelGrid&, const Texture<T>&, const T*, const T*, int, T*);                                  \
  template void texture_backward<T>(const PixelGrid&, const Texture<T>&, const T*, const T*, const T*, int, T*, T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
