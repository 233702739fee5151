// Where on its face each pixel lies.
#pragma once
#include "cpu/screen.h"

namespace rndr {

// face_id, depth: (B, H, W), as rasterize found them. barycentrics: (B, H, W, 3), 0 where there is no face.
template <class T>
void barycentrics_forward(const Screen<T>& screen, const int64_t* face_id, bool perspective, int threads, T* barycentrics);

// grad_barycentrics: (B, H, W, 3); grad_depth: (B, H, W). Writes grad_vertices (B, V, 3).
template <class T>
void barycentrics_backward(const Screen<T>& screen, const int64_t* face_id, bool perspective, int threads, const T* grad_barycentrics,
                           const T* grad_depth, T* grad_vertices);

}  // namespace rndr
