// Hard visibility: the nearest face of every pixel.
#pragma once
#include "cpu/screen.h"

namespace rndr {

struct RasterizeSettings {
  bool perspective, cull_back_faces;
  const char* level;  // SIMD level, "" for the best
  int threads;
};

// behind: (B, H, W), the depths that faces must lie strictly behind (<= 0: no face does), or null. face_id: (B, H, W), -1 where there is
// none; depth: (B, H, W), perspective-correct or linear, 0 where there is none. Of faces at equal depth the first wins.
template <class T>
void rasterize(const Screen<T>& screen, const RasterizeSettings& settings, const T* behind, int64_t* face_id, T* depth);

}  // namespace rndr
