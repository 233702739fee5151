// Screen-space triangles as every rasteriser sees them: their corners, boxes, and the pixel centres in an interval.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "math/special.h"
#include "math/triangle.h"
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

// One batch of screen-space vertices (B, V, 3): pixel x, pixel y, depth; faces (F, 3).
template <class T>
struct Screen {
  const T* vertices;
  const int64_t* faces;
  int batch, vertex_count, face_count, height, width;

  RNDR_HD const T* view(int b) const { return vertices + static_cast<size_t>(b) * vertex_count * 3; }
  RNDR_HD const T* corner(int b, int face, int k) const { return view(b) + 3 * faces[3 * static_cast<size_t>(face) + k]; }
  RNDR_HD void corners(int b, int face, double x[3], double y[3]) const {
    for (int k = 0; k < 3; ++k) {
      const T* v = corner(b, face, k);
      x[k] = v[0], y[k] = v[1];
    }
  }
  // A face with a vertex at or behind the camera has no projection; clipping replaces it before it comes here.
  RNDR_HD bool in_front(int b, int face) const {
    for (int k = 0; k < 3; ++k)
      if (!(corner(b, face, k)[2] > 0)) return false;
    return true;
  }
};

// Pixels of [first, last] whose centres lie within [low, high].
struct PixelRange {
  int first, last;
};

RNDR_HD PixelRange centres_within(double low, double high, int first, int last) {
  // Clamped before they become integers; truncation plus a step is cheaper than ceil and floor at the base SIMD level.
  const double a = min_(max_(low - 0.5, static_cast<double>(first)), last + 1.0);
  const double b = min_(max_(high - 0.5, first - 1.0), static_cast<double>(last));
  const int up = static_cast<int>(a), down = static_cast<int>(b);
  return {up + (a > up), down - (b < down)};
}

struct Extent {
  PixelRange x, y;
  RNDR_HD bool empty() const { return x.first > x.last || y.first > y.last; }
};

RNDR_HD double least(const double v[3]) { return min_(min_(v[0], v[1]), v[2]); }
RNDR_HD double greatest(const double v[3]) { return max_(max_(v[0], v[1]), v[2]); }

// Pixels of [left, right] x [top, bottom] whose centres lie in a triangle's box grown by `radius`.
RNDR_HD Extent centres_of(const double x[3], const double y[3], double radius, int left, int top, int right, int bottom) {
  return {centres_within(least(x) - radius, greatest(x) + radius, left, right),
          centres_within(least(y) - radius, greatest(y) + radius, top, bottom)};
}

// The corners of a face, and its signed area: 0 for one that is not drawn.
template <class T>
RNDR_HD double drawn_area2(const Screen<T>& s, int b, int face, bool cull_back_faces, double x[3], double y[3], double z[3]) {
  for (int k = 0; k < 3; ++k) {
    const T* v = s.corner(b, face, k);
    x[k] = v[0], y[k] = v[1], z[k] = v[2];
    if (!(z[k] > 0)) return 0;
  }
  const double area = signed_area2(x, y);
  return cull_back_faces && area > 0 ? 0 : area;
}

// Which side of each edge of a projected triangle a point lies on. Formed from float coordinates in double, and with the end points of
// an edge in a canonical order, so that two faces that share an edge see exactly opposite signs: no pixel falls between them.
class TriangleSides {
 public:
  // side: the sign of the triangle's area, not 0.
  RNDR_HD TriangleSides(const double x[3], const double y[3], double side) {
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
  RNDR_HD double area(int k, double px, double py) const { return sign_[k] * (ex_[k] * (py - ay_[k]) - ey_[k] * (px - ax_[k])); }
  // Closed: points on the boundary count.
  RNDR_HD bool contain(double px, double py) const { return (area(0, px, py) >= 0) & (area(1, px, py) >= 0) & (area(2, px, py) >= 0); }

 private:
  double ax_[3], ay_[3], ex_[3], ey_[3], sign_[3];
};

RNDR_NAMESPACE_END
