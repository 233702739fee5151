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

namespace rndr {

// One batch of screen-space vertices (B, V, 3): pixel x, pixel y, depth; faces (F, 3).
template <class T>
struct Screen {
  const T* vertices;
  const int64_t* faces;
  int batch, vertex_count, face_count, height, width;

  const T* view(int b) const { return vertices + static_cast<size_t>(b) * vertex_count * 3; }
  void corners(int b, int face, double x[3], double y[3]) const {
    for (int k = 0; k < 3; ++k) {
      const T* v = view(b) + 3 * faces[3 * static_cast<size_t>(face) + k];
      x[k] = v[0], y[k] = v[1];
    }
  }
  // A face with a vertex at or behind the camera has no projection; clipping replaces it before it comes here.
  bool in_front(int b, int face) const {
    for (int k = 0; k < 3; ++k)
      if (!(view(b)[3 * faces[3 * static_cast<size_t>(face) + k] + 2] > 0)) return false;
    return true;
  }
};

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
  return {std::min({x[0], x[1], x[2]}) - radius, std::min({y[0], y[1], y[2]}) - radius,
          std::max({x[0], x[1], x[2]}) + radius, std::max({y[0], y[1], y[2]}) + radius};
}

// Which side of each edge of a projected triangle a point lies on. Formed from float coordinates in double, and with the end points of
// an edge in a canonical order, so that two faces that share an edge see exactly opposite signs: no pixel falls between them.
class TriangleSides {
 public:
  // side: the sign of the triangle's area, not 0.
  TriangleSides(const double x[3], const double y[3], double side) {
    for (int k = 0; k < 3; ++k) {
      const int n = k == 2 ? 0 : k + 1;
      const bool swap = x[n] < x[k] || (x[n] == x[k] && y[n] < y[k]);
      const int from = swap ? n : k, to = swap ? k : n;
      ax_[k] = x[from], ay_[k] = y[from];
      ex_[k] = x[to] - x[from], ey_[k] = y[to] - y[from];
      sign_[k] = swap ? -side : side;
    }
  }
  // Twice the area between edge k and the point, positive inside.
  double area(int k, double px, double py) const { return sign_[k] * (ex_[k] * (py - ay_[k]) - ey_[k] * (px - ax_[k])); }
  // Closed: points on the boundary count.
  bool contain(double px, double py) const { return (area(0, px, py) >= 0) & (area(1, px, py) >= 0) & (area(2, px, py) >= 0); }

 private:
  double ax_[3], ay_[3], ex_[3], ey_[3], sign_[3];
};

// Pixels of [first, last] whose centres lie within [low, high].
struct PixelRange {
  int first, last;
};

inline PixelRange centres_within(double low, double high, int first, int last) {
  // Clamped before they become integers; truncation plus a step is cheaper than ceil and floor at the base SIMD level.
  const double a = std::min(std::max(low - 0.5, static_cast<double>(first)), last + 1.0);
  const double b = std::min(std::max(high - 0.5, first - 1.0), static_cast<double>(last));
  const int up = static_cast<int>(a), down = static_cast<int>(b);
  return {up + (a > up), down - (b < down)};
}

}  // namespace rndr
