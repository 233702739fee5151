// Where on its face each pixel lies: cpu/barycentrics.h on the GPU.
#pragma once
#include "cuda/scatter.h"
#include "cuda/screen.h"

RNDR_NAMESPACE_BEGIN

template <class T>
void barycentrics_forward(const Screen<T>& screen, const int64_t* face_id, bool perspective, T* barycentrics, Status status,
                          cudaStream_t stream);

// grad_vertices adds up in a target that is 0; sources are (B, H, W, 3 corners).
template <class T>
void barycentrics_backward(const Screen<T>& screen, const int64_t* face_id, bool perspective, const T* grad_barycentrics,
                           const T* grad_depth, const Scatter<T>& grad_vertices, cudaStream_t stream);

RNDR_NAMESPACE_END
