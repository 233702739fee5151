// What every rasteriser of screen-space triangles needs first: validated faces and their boxes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cpu/bins.h"
#include "raster/screen.h"

namespace rndr {

template <class T>
void check_screen(const Screen<T>& s) {
  for (size_t i = 0; i < 3 * static_cast<size_t>(s.face_count); ++i)
    if (s.faces[i] < 0 || s.faces[i] >= s.vertex_count)
      throw std::invalid_argument("faces: face " + std::to_string(i / 3) + " refers to vertex " + std::to_string(s.faces[i]) +
                                  ", but there are " + std::to_string(s.vertex_count) + " vertices");
  const size_t count = static_cast<size_t>(s.batch) * s.vertex_count * 3;
  T sum = 0;  // inf - inf and NaN survive a product with 0
  for (size_t i = 0; i < count; ++i) sum += s.vertices[i] * T(0);
  if (sum == T(0)) return;
  for (size_t i = 0; i < count; ++i)
    if (!std::isfinite(s.vertices[i]))
      throw std::invalid_argument("screen_vertices: vertex " + std::to_string(i / 3 % s.vertex_count) + " of view " +
                                  std::to_string(i / 3 / s.vertex_count) + " is not finite");
}

// The box of a face in pixels, grown by `radius`; empty for a face behind the camera.
template <class T>
Box face_box(const Screen<T>& s, int b, int face, double radius) {
  if (!s.in_front(b, face)) return {0, 0, -1, -1};
  double x[3], y[3];
  s.corners(b, face, x, y);
  return {least(x) - radius, least(y) - radius, greatest(x) + radius, greatest(y) + radius};
}

}  // namespace rndr
