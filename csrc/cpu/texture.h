// Texture lookup in a packed pyramid.
#pragma once
#include <cmath>
#include <stdexcept>
#include <string>

#include "cpu/pixel_rows.h"
#include "raster/texture.h"

namespace rndr {

template <class T>
void check_uv(const T* uv, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (!(std::abs(uv[i]) <= kFarthestUv))
      throw std::invalid_argument("uv: expected finite coordinates of size at most 1e9, got " + std::to_string(uv[i]));
}

// uv: (B, H, W, 2); lod: (B, H, W), in [0, levels - 1], not read if there is one level; out: (B, H, W, C).
template <class T>
void texture_forward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, int threads, T* out);

// grad: (B, H, W, C). Writes grad_uv (B, H, W, 2), grad_texels (as texels), and grad_lod (as lod).
template <class T>
void texture_backward(const PixelGrid& grid, const Texture<T>& texture, const T* uv, const T* lod, const T* grad, int threads, T* grad_uv,
                      T* grad_texels, T* grad_lod);

}  // namespace rndr
