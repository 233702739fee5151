// Which pixels a face covers and how near it is there, as planes over the screen: three multiply-adds a pixel and edge.
//
// Everything is double: the planes are anchored at a tile's origin, and the sides of an edge come out exactly opposite for
// the two faces that share it, because its end points are taken in one order; no pixel falls between them.
#pragma once
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

// f(x, y) = px x + py y + pc, in pixels from the tile's origin.
struct FacePlanes {
  double ex[3], ey[3], ec[3];  // twice the area between edge k and the point, positive inside
  double kx, ky, kc;           // nearness: 1 / depth in perspective, else -depth; linear on the screen, larger is nearer
};

// area: twice the signed area of the triangle on the screen, not 0; depths z > 0.
RNDR_HD FacePlanes face_planes(const double x[3], const double y[3], const double z[3], double area, double origin_x, double origin_y,
                               bool perspective) {
  FacePlanes p;
  p.kx = p.ky = p.kc = 0;
  const double side = area < 0 ? -1.0 : 1.0, inverse = 1 / area;
  for (int k = 0; k < 3; ++k) {
    const int n = k == 2 ? 0 : k + 1;
    const bool swap = x[n] < x[k] || (x[n] == x[k] && y[n] < y[k]);
    const int from = swap ? n : k, to = swap ? k : n;
    const double dx = x[to] - x[from], dy = y[to] - y[from];
    const double sign = swap ? -side : side;
    p.ex[k] = sign * -dy;
    p.ey[k] = sign * dx;
    p.ec[k] = sign * (dy * (x[from] - origin_x) - dx * (y[from] - origin_y));
  }
  // Anchored at vertex 0: its own nearness, plus the slopes towards the others.
  const double n0 = perspective ? 1 / z[0] : -z[0];
  const double n1 = (perspective ? 1 / z[1] : -z[1]) - n0, n2 = (perspective ? 1 / z[2] : -z[2]) - n0;
  const double ux = x[1] - x[0], uy = y[1] - y[0], vx = x[2] - x[0], vy = y[2] - y[0];
  p.kx = (n1 * vy - n2 * uy) * inverse;
  p.ky = (n2 * ux - n1 * vx) * inverse;
  p.kc = n0 - p.kx * (x[0] - origin_x) - p.ky * (y[0] - origin_y);
  return p;
}

struct PlanePoint {
  bool inside;  // points on the boundary count
  double nearness;
};

RNDR_HD PlanePoint point_of(const FacePlanes& p, double x, double y) {
  const double e0 = p.ex[0] * x + (p.ey[0] * y + p.ec[0]), e1 = p.ex[1] * x + (p.ey[1] * y + p.ec[1]);
  const double e2 = p.ex[2] * x + (p.ey[2] * y + p.ec[2]);
  return {static_cast<bool>((e0 >= 0) & (e1 >= 0) & (e2 >= 0)), p.kx * x + (p.ky * y + p.kc)};
}

RNDR_HD double depth_of_nearness(double nearness, bool perspective) { return perspective ? 1 / nearness : -nearness; }

RNDR_NAMESPACE_END
