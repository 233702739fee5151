// Hard visibility, the nearest face of every pixel: cpu/rasterize.h on the GPU.
#pragma once
#include "cuda/bins.h"
#include "cuda/screen.h"

RNDR_NAMESPACE_BEGIN

template <class T>
void rasterize(const Screen<T>& screen, bool perspective, bool cull_back_faces, const Bins& bins, const T* behind, int64_t* face_id,
               T* depth, Status status, cudaStream_t stream);

RNDR_NAMESPACE_END
