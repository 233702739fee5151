// Attributes at the corners of a face.
#pragma once
#include <stdint.h>

#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct FaceAttributes {
  const T* values;       // (B, count, channels)
  const int64_t* faces;  // (face_count, 3), indices into count
  int count, face_count, channels;
};

template <class T>
RNDR_HD T blend_corners(const T weight[3], T a0, T a1, T a2) {
  return weight[0] * a0 + weight[1] * a1 + weight[2] * a2;
}

RNDR_NAMESPACE_END
