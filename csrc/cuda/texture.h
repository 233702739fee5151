// Texture lookup in a packed pyramid: cpu/texture.h on the GPU.
#pragma once
#include "cuda/image_tiles.h"
#include "cuda/scatter.h"
#include "cuda/status.h"
#include "raster/texture.h"

RNDR_NAMESPACE_BEGIN

template <class T>
void texture_forward(const ImageTiles& tiles, const Texture<T>& texture, const T* uv, const T* lod, T* out, Status status,
                     cudaStream_t stream);

// grad_texels adds up in a target that is 0; sources are (B, H, W, 2 levels, 4 taps).
template <class T>
void texture_backward(const ImageTiles& tiles, const Texture<T>& texture, const T* uv, const T* lod, const T* grad, T* grad_uv,
                      const Scatter<T>& grad_texels, T* grad_lod, cudaStream_t stream);

RNDR_NAMESPACE_END
