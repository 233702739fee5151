// Attributes at the corners of a pixel's face, weighted by barycentrics: cpu/interpolate.h on the GPU.
#pragma once
#include "cuda/image_tiles.h"
#include "cuda/scatter.h"
#include "cuda/status.h"
#include "raster/interpolate.h"

RNDR_NAMESPACE_BEGIN

template <class T>
void interpolate_forward(const ImageTiles& tiles, const FaceAttributes<T>& attributes, const int64_t* face_id, const T* barycentrics, T* out,
                         Status status, cudaStream_t stream);

// grad_values adds up in a target that is 0; sources are (B, H, W, 3 corners).
template <class T>
void interpolate_backward(const ImageTiles& tiles, const FaceAttributes<T>& attributes, const int64_t* face_id, const T* barycentrics,
                          const T* grad, const Scatter<T>& grad_values, T* grad_barycentrics, cudaStream_t stream);

RNDR_NAMESPACE_END
