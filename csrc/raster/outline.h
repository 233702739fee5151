// The outline of the union of projected faces: where a candidate edge is cut, the nearest point of a piece, and the gradient of the distance.
#pragma once
#include "math/special.h"
#include "raster/screen.h"

RNDR_NAMESPACE_BEGIN

// Points are tested this far outside an edge, in pixels: far above the rounding of the coordinates, far below anything visible.
constexpr double kOutside = 1e-4;
// Cuts nearer than this to an end (as a fraction of the edge) are the end.
constexpr double kEndTolerance = 1e-9;
// Two edges nearer to parallel than this (sine of the angle) have no crossing that moves smoothly.
constexpr double kParallel = 1e-6;

struct OutlinePiece {
  double ax, ay, bx, by;  // end points in pixels, the covered side to the left: cross(b - a, inside - a) > 0
  int a, b;               // vertices of the edge, in the same direction
  int start_c, start_d;   // the edge whose crossing begins the piece, or -1: it begins at vertex a
  int end_c, end_d;       // likewise at its end
};

// An edge with faces on one side only, the left of a -> b.
struct OutlineCandidate {
  double ax, ay, bx, by;
  int a, b;
};

struct Rectangle {
  double x0, y0, x1, y1;
};

// The part [first, last] of a segment within a rectangle; false if there is none.
RNDR_HD bool clip_segment(const OutlineCandidate& e, const Rectangle& r, double& first, double& last) {
  const double dx = e.bx - e.ax, dy = e.by - e.ay;
  first = 0, last = 1;
  const double slopes[4] = {-dx, dx, -dy, dy};
  const double rooms[4] = {e.ax - r.x0, r.x1 - e.ax, e.ay - r.y0, r.y1 - e.ay};
  for (int k = 0; k < 4; ++k) {
    if (slopes[k] == 0) {
      if (rooms[k] < 0) return false;
      continue;
    }
    const double t = rooms[k] / slopes[k];
    if (slopes[k] < 0)
      first = max_(first, t);
    else
      last = min_(last, t);
  }
  return first < last;
}

// Where g crosses e, as a fraction of e strictly within (first, last); false if it does not, or if they share a vertex.
RNDR_HD bool crossing_of(const OutlineCandidate& e, const OutlineCandidate& g, double first, double last, double& t) {
  if (g.a == e.a || g.a == e.b || g.b == e.a || g.b == e.b) return false;
  const double dx = e.bx - e.ax, dy = e.by - e.ay, gx = g.bx - g.ax, gy = g.by - g.ay, cross = dx * gy - dy * gx;
  if (cross == 0) return false;  // parallel: other edges of the same faces cut where the overlap ends
  const double wx = g.ax - e.ax, wy = g.ay - e.ay;
  t = (wx * gy - wy * gx) / cross;
  const double s = (wx * dy - wy * dx) / cross;
  return t > first + kEndTolerance && t < last - kEndTolerance && s >= -kEndTolerance && s <= 1 + kEndTolerance;
}

// The point just outside an edge at a fraction of it: whether a face covers it tells whether the outline runs here.
RNDR_HD void outside_point(const OutlineCandidate& e, double t, double& x, double& y) {
  const double dx = e.bx - e.ax, dy = e.by - e.ay, length = sqrt_(dx * dx + dy * dy);
  x = e.ax + t * dx + dy / length * kOutside;
  y = e.ay + t * dy - dx / length * kOutside;
}

// A segment from (ax, ay) along the unit tangent, and the squared distance of a point (x, y) to it.
template <class T>
RNDR_HD T segment_distance2(T ax, T ay, T tx, T ty, T length, T x, T y) {
  const T dx = x - ax, dy = y - ay;
  const T across = tx * dy - ty * dx;
  const T along = tx * dx + ty * dy;
  const T excess = (along < T(0) ? along : T(0)) + (along > length ? along - length : T(0));
  return across * across + excess * excess;
}

// What the nearest point of a piece hangs on, from the position along it.
RNDR_HD void describe_nearest(const OutlinePiece& p, double x, double y, int32_t out[4]) {
  const double ex = p.bx - p.ax, ey = p.by - p.ay, along = (x - p.ax) * ex + (y - p.ay) * ey;
  const bool before = along <= 0, after = along >= ex * ex + ey * ey;
  out[0] = p.a, out[1] = p.b, out[2] = out[3] = -1;
  if (before && p.start_c >= 0) out[2] = p.start_c, out[3] = p.start_d;
  if (before && p.start_c < 0) out[1] = p.a;
  if (after && p.end_c >= 0) out[2] = p.end_c, out[3] = p.end_d;
  if (after && p.end_c < 0) out[0] = p.b;
}

// d (signed distance) / d (up to four vertices).
struct OutlineGradient {
  int count;
  int32_t vertex[4];
  double x[4], y[4];

  RNDR_HD void add(int32_t v, double gx, double gy) { vertex[count] = v, x[count] = gx, y[count] = gy, ++count; }
};

// For a pixel at (px, py) whose nearest outline point hangs on `on`; `sign` is +1 inside.
template <class T>
RNDR_HD OutlineGradient outline_gradient(const T* vertices, const int32_t on[4], double px, double py, double sign) {
  struct Point {
    double x, y;
  };
  const auto at = [&](int32_t v) { return Point{static_cast<double>(vertices[3 * static_cast<size_t>(v)]), static_cast<double>(vertices[3 * static_cast<size_t>(v) + 1])}; };
  OutlineGradient g{};
  const Point a = at(on[0]), b = at(on[1]);
  const double ex = b.x - a.x, ey = b.y - a.y, length = sqrt_(ex * ex + ey * ey);
  if (on[2] < 0 && on[0] != on[1]) {  // an edge: the signed distance is n . (p - a), n the unit normal towards the inside
    const double nx = -ey / length, ny = ex / length;
    const double t = ((px - a.x) * ex + (py - a.y) * ey) / (length * length);
    g.add(on[0], -(1 - t) * nx, -(1 - t) * ny);
    g.add(on[1], -t * nx, -t * ny);
    return g;
  }
  Point c = a;
  double t = 0, u = 0, nx = 0, ny = 0, mx = 0, my = 0, sine = 0;
  Point q{0, 0}, r{0, 0};
  if (on[2] >= 0) {  // the crossing of two edges, c = a + t (b - a) = q + u (r - q)
    q = at(on[2]), r = at(on[3]);
    const double gx = r.x - q.x, gy = r.y - q.y, other = sqrt_(gx * gx + gy * gy);
    const double cross = ex * gy - ey * gx;
    sine = cross / (length * other);
    t = ((q.x - a.x) * gy - (q.y - a.y) * gx) / cross;
    u = ((q.x - a.x) * ey - (q.y - a.y) * ex) / cross;
    c = {a.x + t * ex, a.y + t * ey};
    nx = -ey / length, ny = ex / length, mx = -gy / other, my = gx / other;
  }
  const double wx = px - c.x, wy = py - c.y, d = sqrt_(wx * wx + wy * wy);
  if (d == 0) return g;  // on the corner itself the distance has no derivative
  const double hx = -sign * wx / d, hy = -sign * wy / d;  // d (signed distance) / d c
  if (on[2] < 0) {
    g.add(on[0], hx, hy);
    return g;
  }
  if (abs_(sine) < kParallel) {  // taken as a point of the first edge
    g.add(on[0], (1 - t) * hx, (1 - t) * hy);
    g.add(on[1], t * hx, t * hy);
    return g;
  }
  // Moving edge 1 by alpha along its normal n and edge 2 by beta along m moves c by the x with n.x = alpha, m.x = beta.
  const double det = nx * my - ny * mx;
  const double alpha = (hx * my - hy * mx) / det, beta = (hy * nx - hx * ny) / det;
  g.add(on[0], alpha * (1 - t) * nx, alpha * (1 - t) * ny);
  g.add(on[1], alpha * t * nx, alpha * t * ny);
  g.add(on[2], beta * (1 - u) * mx, beta * (1 - u) * my);
  g.add(on[3], beta * u * mx, beta * u * my);
  return g;
}

RNDR_NAMESPACE_END
