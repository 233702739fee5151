// Signed distance from a point to a triangle's boundary in the plane, and where the nearest boundary point lies.
//
// Each edge is kept as a line in normal form. The distance across the edge (perp) and the excess beyond its ends are
// linear in the point, so a row of pixels costs two fused multiply-adds an edge, and a sliver or a vertex far off the
// screen loses no precision: the constants are formed in double, relative to an origin near the pixels.
#pragma once
#include "math/special.h"
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

// One edge a -> b in double precision and absolute pixel coordinates.
struct EdgeLine {
  double nx, ny;  // unit normal towards the inside of the triangle
  double tx, ty;  // unit tangent, from a to b
  double ax, ay, bx, by;
  double length;
  double height;  // of the third vertex above the edge
};

struct TriangleLines {
  EdgeLine edge[3];  // edge k runs from vertex k to vertex (k + 1) % 3
  bool degenerate;   // zero area: no point is inside
};

// Twice the signed area on the screen. y points down: a face that is counter-clockwise seen from outside has a negative area.
RNDR_HD double signed_area2(const double x[3], const double y[3]) {
  return difference_of_products(x[1] - x[0], y[2] - y[0], y[1] - y[0], x[2] - x[0]);
}

RNDR_HD TriangleLines triangle_lines(const double x[3], const double y[3]) {
  TriangleLines lines;
  const double area2 = signed_area2(x, y);
  const double side = area2 < 0 ? -1.0 : 1.0;
  lines.degenerate = area2 == 0;
  for (int k = 0; k < 3; ++k) {
    const int n = k == 2 ? 0 : k + 1;
    EdgeLine& e = lines.edge[k];
    const double ex = x[n] - x[k], ey = y[n] - y[k];
    const double length = sqrt_(ex * ex + ey * ey);
    e.length = length;
    // A zero-length edge is a point: any frame measures the distance to it.
    e.tx = length > 0 ? ex / length : 1.0;
    e.ty = length > 0 ? ey / length : 0.0;
    e.nx = -e.ty * side;
    e.ny = e.tx * side;
    e.ax = x[k], e.ay = y[k], e.bx = x[n], e.by = y[n];
    e.height = length > 0 ? (area2 < 0 ? -area2 : area2) / length : 0.0;
  }
  return lines;
}

// The same lines in the kernel's precision, relative to an origin: f(x, y) = fx x + fy y + fc.
template <class T>
struct LocalTriangle {
  T nx[3], ny[3], nc[3];          // perp: distance across the edge, positive inside
  T tx[3], ty[3], ta[3], tb[3];   // along the edge: from a (ta), from b (tb)
  T inverse_length[3];            // 0 for a zero-length edge
  T inverse_height[3];            // 0 for a degenerate triangle
  T never_inside;                 // 0, or a large number that makes every inside test fail
};

template <class T>
RNDR_HD LocalTriangle<T> localize(const TriangleLines& lines, double origin_x, double origin_y) {
  LocalTriangle<T> local;
  for (int k = 0; k < 3; ++k) {
    const EdgeLine& e = lines.edge[k];
    const double ax = origin_x - e.ax, ay = origin_y - e.ay, bx = origin_x - e.bx, by = origin_y - e.by;
    local.nx[k] = T(e.nx), local.ny[k] = T(e.ny);
    local.tx[k] = T(e.tx), local.ty[k] = T(e.ty);
    local.nc[k] = T(e.nx * ax + e.ny * ay);
    local.ta[k] = T(e.tx * ax + e.ty * ay);
    local.tb[k] = T(e.tx * bx + e.ty * by);
    local.inverse_length[k] = e.length > 0 ? T(1 / e.length) : T(0);
    local.inverse_height[k] = e.height > 0 ? T(1 / e.height) : T(0);
  }
  local.never_inside = lines.degenerate ? T(1e30) : T(0);
  return local;
}

// Squared distance to edge k; perp and the signed excess beyond its ends (0 between them) are left in the arguments.
template <class T>
RNDR_HD T edge_distance2(const LocalTriangle<T>& t, int k, T x, T y, T& perp, T& along, T& excess) {
  perp = t.nx[k] * x + (t.ny[k] * y + t.nc[k]);
  const T row = t.ty[k] * y;
  along = t.tx[k] * x + (row + t.ta[k]);
  const T beyond = t.tx[k] * x + (row + t.tb[k]);
  excess = (along < T(0) ? along : T(0)) + (beyond > T(0) ? beyond : T(0));
  return perp * perp + excess * excess;
}

// What the nearest edge is chosen by: the squared distance, but less than all of them for an edge that the point lies beside, on the
// outer side: its foot is then the closest point of the triangle. Compared as distances, a foot and a corner at sqrt(2 u) of the distance
// from it (u: the rounding unit) come out the same, and the closest point would jump by that much.
template <class T>
RNDR_HD T edge_order(const LocalTriangle<T>& t, T d, T perp, T excess) {
  const bool beside = (excess == T(0)) & (perp <= -t.never_inside);
  return beside ? T(-1) : d;
}

// Squared distance to the boundary; `inside` is strict.
template <class T>
RNDR_HD T boundary_distance2(const LocalTriangle<T>& t, T x, T y, bool& inside) {
  T p0, p1, p2, along, excess;
  const T d0 = edge_distance2(t, 0, x, y, p0, along, excess);
  const T d1 = edge_distance2(t, 1, x, y, p1, along, excess);
  const T d2 = edge_distance2(t, 2, x, y, p2, along, excess);
  const T d01 = d0 < d1 ? d0 : d1;
  T low = p0 < p1 ? p0 : p1;
  low = low < p2 ? low : p2;
  inside = low > t.never_inside;
  return d01 < d2 ? d01 : d2;
}

// The nearest boundary point c = sum_i lambda_i v_i, and the derivative of the *signed* distance:
// d distance / d v_i = lambda_i (hx, hy). On the boundary itself it is the edge's inward normal that counts.
template <class T>
struct Nearest {
  T distance2, lambda0, lambda1, hx, hy;
  bool inside;
};

template <class T>
RNDR_HD Nearest<T> nearest_boundary_point(const LocalTriangle<T>& t, T x, T y) {
  T best = T(0), first = T(0), wx = T(0), wy = T(0), l0 = T(0), l1 = T(0), low = T(0);
  for (int k = 0; k < 3; ++k) {
    T perp, along, excess;
    edge_distance2(t, k, x, y, perp, along, excess);
    low = k == 0 ? perp : (perp < low ? perp : low);
    // On the line itself the direction is the outer side's, so that the derivative is the edge's normal there, too.
    perp = perp > T(0) ? perp : (perp < T(-1e-18) ? perp : T(-1e-18));
    const T d = perp * perp + excess * excess;
    const T order = edge_order(t, d, perp, excess);
    const bool take = k == 0 || order < first;
    T s = along * t.inverse_length[k];
    s = s < T(0) ? T(0) : (s > T(1) ? T(1) : s);
    first = take ? order : first;
    best = take ? d : best;
    wx = take ? perp * t.nx[k] + excess * t.tx[k] : wx;
    wy = take ? perp * t.ny[k] + excess * t.ty[k] : wy;
    l0 = take ? (k == 0 ? T(1) - s : (k == 1 ? T(0) : s)) : l0;
    l1 = take ? (k == 0 ? s : (k == 1 ? T(1) - s : T(0))) : l1;
  }
  Nearest<T> r;
  r.inside = low > t.never_inside;
  r.distance2 = best;
  r.lambda0 = l0, r.lambda1 = l1;
  // (wx, wy) leads from the boundary point to (x, y); inside, the distance shrinks where the boundary follows it.
  const T inverse = (r.inside ? T(-1) : T(1)) / sqrt_(best);
  r.hx = wx * inverse;
  r.hy = wy * inverse;
  return r;
}

// The closest point of the closed triangle, c = sum_i lambda_i v_i: the point itself where it lies inside.
// A derivative L' with respect to the lambdas, g_i, moves the vertices by
//   inside:          d L / d v_k = -lambda_k G,  G = sum_i g_i grad lambda_i
//   beside edge a b: d L / d a = (g_b - g_a) (-(1 - t) s - q),  d L / d b = (g_b - g_a) (-t s + q),
//                    s = tangent / length, q = perp normal / length^2
//   at a vertex:     0
// all of which is -lambda_k G + sign_k Q, with Q = 0 inside and for the corner that is not on the edge.
template <class T>
struct Closest {
  T lambda[3];
  T edge_weight[3];    // sign_k: -1 at a, +1 at b beside an edge, else 0
  T qx, qy;            // perp normal / length^2 of that edge
  T sx, sy;            // tangent / length of that edge, 0 elsewhere
  bool inside;
};

template <class T>
RNDR_HD Closest<T> closest_point(const LocalTriangle<T>& t, T x, T y) {
  T first = T(0), low = T(0), perps[3];
  Closest<T> c;
  c.qx = c.qy = c.sx = c.sy = T(0);
  for (int i = 0; i < 3; ++i) c.lambda[i] = c.edge_weight[i] = T(0);
  for (int k = 0; k < 3; ++k) {
    const int n = k == 2 ? 0 : k + 1, o = n == 2 ? 0 : n + 1;
    T p, along, excess;
    const T d = edge_distance2(t, k, x, y, p, along, excess);
    perps[k] = p;
    low = k == 0 ? p : (p < low ? p : low);
    const T order = edge_order(t, d, p, excess);
    const bool take = k == 0 || order < first;
    T s = along * t.inverse_length[k];
    s = s < T(0) ? T(0) : (s > T(1) ? T(1) : s);
    const T beside = excess == T(0) && t.inverse_length[k] > T(0) ? T(1) : T(0);
    const T il = t.inverse_length[k] * beside, q = p * il * il;
    first = take ? order : first;
    c.lambda[k] = take ? T(1) - s : c.lambda[k];
    c.lambda[n] = take ? s : c.lambda[n];
    c.lambda[o] = take ? T(0) : c.lambda[o];
    c.edge_weight[k] = take ? -beside : c.edge_weight[k];
    c.edge_weight[n] = take ? beside : c.edge_weight[n];
    c.edge_weight[o] = take ? T(0) : c.edge_weight[o];
    c.qx = take ? q * t.nx[k] : c.qx;
    c.qy = take ? q * t.ny[k] : c.qy;
    c.sx = take ? t.tx[k] * il : c.sx;
    c.sy = take ? t.ty[k] * il : c.sy;
  }
  c.inside = low > t.never_inside;
  for (int i = 0; i < 3; ++i) {
    const int opposite = i == 2 ? 0 : i + 1;  // the edge from vertex i + 1 to i + 2
    c.lambda[i] = c.inside ? perps[opposite] * t.inverse_height[opposite] : c.lambda[i];
    c.edge_weight[i] = c.inside ? T(0) : c.edge_weight[i];
  }
  return c;
}

RNDR_NAMESPACE_END
