// Barycentrics on the screen as linear functions, and their derivative in the corners. What a pixel sees follows from them by
// make_fragment (raster/fragment.h).
#pragma once
#include "raster/fragment.h"

RNDR_NAMESPACE_BEGIN

// lambda_i(p) = gx[i] (px - x0) + gy[i] (py - y0) + (i == 0).
struct ScreenBarycentrics {
  double x0, y0, gx[3], gy[3], z[3];

  RNDR_HD void at(double px, double py, double lambda[3]) const {
    const double dx = px - x0, dy = py - y0;
    lambda[0] = 1 + gx[0] * dx + gy[0] * dy;
    lambda[1] = gx[1] * dx + gy[1] * dy;
    lambda[2] = gx[2] * dx + gy[2] * dy;
  }
};

// The area must not be 0.
RNDR_HD ScreenBarycentrics screen_barycentrics(const double x[3], const double y[3], const double z[3]) {
  ScreenBarycentrics s;
  const double ux = x[1] - x[0], uy = y[1] - y[0], vx = x[2] - x[0], vy = y[2] - y[0], inverse = 1 / (ux * vy - uy * vx);
  s.x0 = x[0], s.y0 = y[0];
  s.gx[1] = vy * inverse, s.gy[1] = -vx * inverse;
  s.gx[2] = -uy * inverse, s.gy[2] = ux * inverse;
  s.gx[0] = -(s.gx[1] + s.gx[2]), s.gy[0] = -(s.gy[1] + s.gy[2]);
  for (int k = 0; k < 3; ++k) s.z[k] = z[k];
  return s;
}

// Adds a pixel's dL/db and dL/d depth to the corners' gradient (x y z of each): d lambda_i / d v_k = -lambda_k grad lambda_i.
RNDR_HD void add_barycentric_gradient(const ScreenBarycentrics& s, double px, double py, bool perspective, const double grad_b[3],
                                      double grad_depth, double corner[9]) {
  double lambda[3], grad_lambda[3], grad_z[3];
  s.at(px, py, lambda);
  const Fragment<double> f = make_fragment(lambda, s.z, perspective);
  fragment_gradient(f, lambda, s.z, perspective, grad_b, grad_depth, grad_lambda, grad_z);
  double gx = 0, gy = 0;
  for (int i = 0; i < 3; ++i) {
    gx += grad_lambda[i] * s.gx[i];
    gy += grad_lambda[i] * s.gy[i];
  }
  for (int k = 0; k < 3; ++k) {
    corner[3 * k] -= lambda[k] * gx;
    corner[3 * k + 1] -= lambda[k] * gy;
    corner[3 * k + 2] += grad_z[k];
  }
}

RNDR_NAMESPACE_END
