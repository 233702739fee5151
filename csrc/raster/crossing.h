// Where an edge crosses the line through the centres of two neighbouring pixels, and what a blend there changes.
//
// "Along" is the axis from one centre to the other, "across" the other one. The surface that the pixel `from` shows ends at
// t in [0, 1] on the way to its neighbour `to`; it covers over = t - 1/2 of `to`, or leaves that much of `from`. Either way
// the one it concerns changes by over (colour(from) - colour(to)).
#pragma once
#include "support/macros.h"

RNDR_NAMESPACE_BEGIN

struct EdgeCrossing {
  double along;           // where, in pixels
  double part, slope;     // a + part (b - a), d along / d across of the edge
};

// The edge must cross the level: across differs at its ends.
RNDR_HD EdgeCrossing edge_crossing(double a_along, double a_across, double b_along, double b_across, double level) {
  EdgeCrossing c;
  const double rise = 1 / (b_across - a_across);
  c.part = (level - a_across) * rise;
  c.slope = (b_along - a_along) * rise;
  c.along = a_along + (level - a_across) * c.slope;
  return c;
}

// From dL/d along to the edge's ends: (along, across) of a, then of b.
RNDR_HD void edge_crossing_gradient(const EdgeCrossing& c, double grad, double corner[4]) {
  corner[0] = (1 - c.part) * grad;
  corner[1] = -(1 - c.part) * c.slope * grad;
  corner[2] = c.part * grad;
  corner[3] = -c.part * c.slope * grad;
}

RNDR_NAMESPACE_END
