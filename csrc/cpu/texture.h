// Texture lookup in a packed pyramid.
#pragma once
#include "cpu/pixel_rows.h"
#include "raster/texture.h"

namespace rndr {

template <class T>
struct Texture {
  const T* texels;  // (textures, all levels' texels, channels); view b reads texture b / (B / textures)
  int textures;
  long long count;
  int channels;
  TextureLayout layout;
};

// uv: (B, H, W, 2); lod: (B, H, W), in [0, levels - 1], not read if there is one level; out: (B, H, W, C).
template <class T>
void texture_forward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, int threads, T* out);

// grad: (B, H, W, C). Writes grad_uv (B, H, W, 2), grad_texels (as texels), and grad_lod (as lod).
template <class T>
void texture_backward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, const T* grad, int threads, T* grad_uv,
                      T* grad_texels, T* grad_lod);

}  // namespace rndr
