// Blending across silhouette edges between neighbouring pixels.
#pragma once
#include "cpu/screen.h"

namespace rndr {

// image, out: (B, H, W, C); face_id, depth: (B, H, W), as rasterize found them on the same screen. crossings: (B, H, W, 2), for the pairs of
// a pixel with its right and its lower neighbour: -1, or 2 h + s for half-edge h, where the surface that the pixel (s = 0) or its
// neighbour (s = 1) shows ends between their centres.
template <class T>
void antialias_forward(const Screen<T>& screen, const int64_t* face_id, const T* depth, const T* image, int channels, int threads,
                       int32_t* crossings, T* out);

// grad: (B, H, W, C). Writes grad_image (B, H, W, C) and grad_vertices (B, V, 3; depth gets 0).
template <class T>
void antialias_backward(const Screen<T>& screen, const T* image, int channels, int threads, const int32_t* crossings, const T* grad,
                        T* grad_image, T* grad_vertices);

}  // namespace rndr
