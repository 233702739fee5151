// Where the surface that a pixel shows ends on the way to its neighbour, and what a blend there changes.
#pragma once
#include "raster/crossing.h"
#include "raster/screen.h"

RNDR_NAMESPACE_BEGIN

// Faces that a walk crosses between two neighbouring centres before it gives up: far more than can matter to a pixel.
constexpr int kMaxSteps = 256;

// One view seen along x (axis 0: pairs of horizontal neighbours) or along y (axis 1).
template <class T>
struct Axis {
  const Screen<T>& s;
  int b, axis;

  RNDR_HD int64_t vertex(int half_edge, int step) const { return s.faces[3 * static_cast<size_t>(half_edge / 3) + (half_edge % 3 + step) % 3]; }
  RNDR_HD double along(int64_t v) const { return s.view(b)[3 * v + axis]; }
  RNDR_HD double across(int64_t v) const { return s.view(b)[3 * v + 1 - axis]; }

  // The ends of an edge that crosses the level, the one below it first.
  RNDR_HD bool cut(int half_edge, double level, int64_t& below, int64_t& above) const {
    const int64_t p = vertex(half_edge, 0), q = vertex(half_edge, 1);
    const bool first = across(p) >= level, second = across(q) >= level;
    below = first ? q : p, above = first ? p : q;
    return first != second;
  }
  RNDR_HD EdgeCrossing crossing(int64_t below, int64_t above, double level) const {
    return edge_crossing(along(below), across(below), along(above), across(above), level);
  }
  // Twice the area of the triangle; positive where `tip` lies at larger `along` than the edge.
  RNDR_HD double side(int64_t below, int64_t above, int64_t tip) const {
    return (along(tip) - along(below)) * (across(above) - across(below)) - (across(tip) - across(below)) * (along(above) - along(below));
  }
  // An edge counts in the one direction that crosses it more steeply: in both it would count twice.
  RNDR_HD bool counts(int64_t p, int64_t q) const {
    const double da = abs_(along(q) - along(p)), dc = abs_(across(q) - across(p));
    return axis == 0 ? dc >= da : dc > da;
  }
};

// The half-edge at which the surface that the pixel at (along, across) shows on `face` ends before the next centre in direction
// `sign`: the first edge on the way with no face beyond it. -1 if the surface goes on as far as that centre.
// next: the rings of half-edges (see cpu/half_edges.h).
template <class T>
RNDR_HD int surface_end(const Axis<T>& v, const int* next, int64_t face, int along, int across, int sign) {
  const double level = across + 0.5, origin = along + 0.5;
  int edge = -1;
  int64_t below = 0, above = 0;
  double at = 0;
  for (int k = 0; k < 3; ++k) {
    int64_t p, q;
    if (!v.cut(static_cast<int>(3 * face + k), level, p, q)) continue;
    const double here = sign * (v.crossing(p, q, level).along - origin);
    if (edge < 0 || here > at) edge = static_cast<int>(3 * face + k), below = p, above = q, at = here;
  }
  if (edge < 0) return -1;
  for (int step = 0; step < kMaxSteps && at < 1; ++step) {
    int beyond = -1;
    int64_t tip = 0;
    for (int h = next[edge]; h != edge; h = next[h]) {
      const int64_t t = v.vertex(h, 2);
      if ((beyond >= 0 && beyond < h) || !v.s.in_front(v.b, h / 3) || sign * v.side(below, above, t) < 0) continue;
      beyond = h, tip = t;
    }
    if (beyond < 0) return edge;
    const int64_t kept = v.across(tip) >= level ? below : above;
    (kept == below ? above : below) = tip;
    const int after = beyond / 3 * 3 + (beyond % 3 + 1) % 3;
    edge = v.vertex(beyond, 1) == kept ? after : beyond / 3 * 3 + (beyond % 3 + 2) % 3;
    at = sign * (v.crossing(below, above, level).along - origin);
  }
  return -1;
}

// The code of the crossing between a pixel at (along, across) and the next one along the axis, which show different faces: 2 h + s for
// half-edge h, where the surface that the pixel (s = 0) or its neighbour (s = 1) shows ends between their centres; -1 for none.
template <class T>
RNDR_HD int crossing_code(const Axis<T>& v, const int* next, int64_t face_here, int64_t face_there, T depth_here, T depth_there, int along,
                          int across) {
  // What is nearer hides the other: if its surface ends on the way, that is where the border is.
  const bool swap = face_here < 0 || (face_there >= 0 && depth_there < depth_here);
  for (int turn = 0; turn < 2; ++turn) {
    const bool second = swap != (turn == 1);
    const int64_t face = second ? face_there : face_here;
    if (face < 0) continue;
    const int end = surface_end(v, next, face, along + second, across, second ? -1 : 1);
    if (end < 0) continue;
    return v.counts(v.vertex(end, 0), v.vertex(end, 1)) ? 2 * end + second : -1;
  }
  return -1;
}

// What a crossing's code stands for.
struct Blend {
  int64_t below, above;  // vertices of the edge
  EdgeCrossing crossing;
  int sign;              // direction from `from` to `to`
  bool second;           // `from` is the neighbour, not the pixel
  double over;           // > 0: covers so much of `to`; < 0: leaves so much of `from`

  RNDR_HD bool into_to() const { return over > 0; }
};

// Between the pixel at (column, row) and its right (axis 0) or lower (axis 1) neighbour; code >= 0.
template <class T>
RNDR_HD Blend blend_of(const Screen<T>& s, int view, int axis, int code, int column, int row) {
  const Axis<T> v{s, view, axis};
  Blend b;
  b.second = code & 1;
  b.sign = b.second ? -1 : 1;
  const double level = (axis == 0 ? row : column) + 0.5, origin = (axis == 0 ? column : row) + b.second + 0.5;
  v.cut(code / 2, level, b.below, b.above);
  b.crossing = v.crossing(b.below, b.above, level);
  b.over = b.sign * (b.crossing.along - origin) - 0.5;
  return b;
}

RNDR_NAMESPACE_END
