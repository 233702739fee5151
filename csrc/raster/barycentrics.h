// Where a pixel lies on its face, and the derivative of that in the face's corners.
//
// With lambda_i the barycentrics on the screen, u_i = lambda_i / z_i (or lambda_i, if not in perspective) is linear in x and y, and
// the pixel's weights are b_i = u_i / sum_j u_j: make_fragment (raster/fragment.h) of u as it would be of flat barycentrics.
#pragma once
#include "raster/fragment.h"

RNDR_NAMESPACE_BEGIN

// u_i(p) = ux[i] (px - x0) + uy[i] (py - y0) + u0[i].
struct ScreenBarycentrics {
  double x0, y0, u0[3], ux[3], uy[3], z[3];

  RNDR_HD Fragment<double> at(double px, double py, double u[3]) const {
    const double dx = px - x0, dy = py - y0;
    for (int i = 0; i < 3; ++i) u[i] = ux[i] * dx + uy[i] * dy + u0[i];
    return make_fragment(u, z, false);
  }
};

// The area must not be 0.
RNDR_HD ScreenBarycentrics screen_barycentrics(const double x[3], const double y[3], const double z[3], bool perspective) {
  ScreenBarycentrics s;
  const double ax = x[1] - x[0], ay = y[1] - y[0], bx = x[2] - x[0], by = y[2] - y[0], inverse = 1 / (ax * by - ay * bx);
  s.x0 = x[0], s.y0 = y[0];
  s.ux[1] = by * inverse, s.uy[1] = -bx * inverse;
  s.ux[2] = -ay * inverse, s.uy[2] = ax * inverse;
  s.ux[0] = -(s.ux[1] + s.ux[2]), s.uy[0] = -(s.uy[1] + s.uy[2]);
  for (int k = 0; k < 3; ++k) {
    const double scale = perspective ? 1 / z[k] : 1;
    s.z[k] = z[k];
    s.u0[k] = k == 0 ? scale : 0;
    s.ux[k] *= scale;
    s.uy[k] *= scale;
  }
  return s;
}

// Sums over the pixels of a face, from which the derivative in its corners follows.
struct BarycentricSums {
  double product[3][3];  // of u_k and dL/du_i
  double depth[3];       // of dL/d depth and b_k

  RNDR_HD void add(const ScreenBarycentrics& s, double px, double py, const double grad_b[3], double grad_depth) {
    double u[3], grad_u[3], grad_z[3];
    const Fragment<double> f = s.at(px, py, u);
    fragment_gradient(f, u, s.z, false, grad_b, grad_depth, grad_u, grad_z);
    for (int k = 0; k < 3; ++k) {
      for (int i = 0; i < 3; ++i) product[k][i] += u[k] * grad_u[i];
      depth[k] += grad_z[k];
    }
  }

  // x y z of each corner. A corner that moves by d moves the face under the pixel by lambda_k d, so that
  // d u_i / d (x_k, y_k) = -lambda_k grad u_i; and lambda_k = u_k z_k in perspective.
  RNDR_HD void corners(const ScreenBarycentrics& s, bool perspective, double out[9]) const {
    for (int k = 0; k < 3; ++k) {
      const double scale = perspective ? -s.z[k] : -1;
      double x = 0, y = 0;
      for (int i = 0; i < 3; ++i) {
        x += product[k][i] * s.ux[i];
        y += product[k][i] * s.uy[i];
      }
      out[3 * k] = scale * x;
      out[3 * k + 1] = scale * y;
      out[3 * k + 2] = depth[k] - (perspective ? product[k][k] / s.z[k] : 0);
    }
  }
};

RNDR_NAMESPACE_END
