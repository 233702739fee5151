// Blending across silhouette edges between neighbouring pixels: cpu/antialias.h on the GPU.
#pragma once
#include "cuda/scatter.h"
#include "cuda/screen.h"
#include "cuda/sorted_edges.h"

RNDR_NAMESPACE_BEGIN

// next (3 F): room for the rings of half-edges.
template <class T>
void antialias_forward(const Screen<T>& screen, const SortedEdges& edges, int* next, const int64_t* face_id, const T* depth, const T* image,
                       int channels, int32_t* crossings, T* out, Status status, cudaStream_t stream);

// grad_vertices adds up in a target that is 0; sources are (B, H, W, 2 neighbours, 2 ends).
template <class T>
void antialias_backward(const Screen<T>& screen, const T* image, int channels, const int32_t* crossings, const T* grad, T* grad_image,
                        const Scatter<T>& grad_vertices, cudaStream_t stream);

RNDR_NAMESPACE_END
