// Hard visibility: the nearest face of every pixel.
#pragma once
#include "cpu/screen.h"

namespace rndr {

// face_id: (B, H, W), -1 where there is none; barycentrics: (B, H, W, 3), perspective-correct if `perspective`; depth: (B, H, W), 0 where
// there is none. Of faces at equal depth the first wins.
template <class T>
void rasterize(const Screen<T>& screen, bool perspective, bool cull_back_faces, int threads, int64_t* face_id, T* barycentrics, T* depth);

}  // namespace rndr
