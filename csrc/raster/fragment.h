// A fragment: what a face shows at a pixel. Its attributes and depth are taken at the closest point of the triangle.
#pragma once
#include "math/triangle.h"

RNDR_NAMESPACE_BEGIN

// From screen barycentrics lambda and the corners' depths: weights b of the corners, perspective-correct if asked
// (b_i ~ lambda_i / z_i), and the depth sum_i b_i z_i.
template <class T>
struct Fragment {
  T b[3], depth;
  T inverse_sum;  // 1 / sum_i u_i, u_i = lambda_i / z_i or lambda_i
};

template <class T>
RNDR_HD Fragment<T> make_fragment(const T lambda[3], const T depth[3], bool perspective) {
  Fragment<T> f;
  T u[3], sum = T(0);
  for (int i = 0; i < 3; ++i) {
    u[i] = perspective ? lambda[i] / depth[i] : lambda[i];
    sum += u[i];
  }
  f.inverse_sum = T(1) / sum;
  f.depth = T(0);
  for (int i = 0; i < 3; ++i) {
    f.b[i] = u[i] * f.inverse_sum;
    f.depth += f.b[i] * depth[i];
  }
  return f;
}

// From dL/db_i and dL/d depth to dL/d lambda_i and dL/d z_i.
template <class T>
RNDR_HD void fragment_gradient(const Fragment<T>& f, const T lambda[3], const T depth[3], bool perspective, const T grad_b[3],
                               T grad_depth, T grad_lambda[3], T grad_z[3]) {
  T g[3], mean = T(0);
  for (int i = 0; i < 3; ++i) {
    g[i] = grad_b[i] + grad_depth * depth[i];
    mean += g[i] * f.b[i];
  }
  for (int i = 0; i < 3; ++i) {
    const T grad_u = (g[i] - mean) * f.inverse_sum;
    grad_lambda[i] = perspective ? grad_u / depth[i] : grad_u;
    grad_z[i] = grad_depth * f.b[i] - (perspective ? grad_u * lambda[i] / (depth[i] * depth[i]) : T(0));
  }
}

RNDR_NAMESPACE_END
