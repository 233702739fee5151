// Attributes at the corners of a pixel's face, weighted by barycentrics.
#pragma once
#include "cpu/pixel_rows.h"
#include "raster/interpolate.h"

namespace rndr {

// face_id: (B, H, W); barycentrics: (B, H, W, 3); out: (B, H, W, C), 0 where there is no face.
template <class T>
void interpolate_forward(const PixelGrid& grid, const FaceAttributes<T>& attributes, const int64_t* face_id, const T* barycentrics,
                         int threads, T* out);

// grad: (B, H, W, C). Writes grad_values (B, count, C) and grad_barycentrics (B, H, W, 3).
template <class T>
void interpolate_backward(const PixelGrid& grid, const FaceAttributes<T>& attributes, const int64_t* face_id, const T* barycentrics,
                          const T* grad, int threads, T* grad_values, T* grad_barycentrics);

}  // namespace rndr
