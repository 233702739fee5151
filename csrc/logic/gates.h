// Relaxed logic gates. Gate id i of 0..15 spells its truth table, high to low: the outputs for (a, b) = 00, 01, 10, 11.
//
// A neuron mixes the gates with p = softmax(z / temperature). Whatever the mixture, the expectation over independent
// Bernoulli inputs is bilinear, y = c0 + ca a + cb b + cab ab, given by the four corner probabilities
// w_uv = sum_i p_i t_i[uv]. The 16-way work is per neuron, not per sample.
//
// Petersen et al., "Deep Differentiable Logic Gate Networks", NeurIPS 2022.
#pragma once
#include "math/special.h"

RNDR_NAMESPACE_BEGIN

constexpr int kGates = 16;
constexpr int kCoefficients = 4;  // c0, ca, cb, cab

// Output of a gate at a corner: 0, 1, 2, 3 for (a, b) = 00, 01, 10, 11.
RNDR_HD bool gate_output(int gate, int corner) { return gate >> (3 - corner) & 1; }

template <class T>
RNDR_HD T gate_value(const T c[4], T a, T b) {
  return (c[3] * b + c[1]) * a + (c[2] * b + c[0]);
}
template <class T>
RNDR_HD T gate_da(const T c[4], T b) {
  return c[3] * b + c[1];
}
template <class T>
RNDR_HD T gate_db(const T c[4], T a) {
  return c[3] * a + c[2];
}

// w: the corner probabilities for (a, b) = 00, 01, 10, 11.
template <class T>
RNDR_HD void corners_to_coefficients(const T w[4], T c[4]) {
  c[0] = w[0];
  c[1] = w[2] - w[0];
  c[2] = w[1] - w[0];
  c[3] = (w[0] - w[1]) + (w[3] - w[2]);
}
template <class T>
RNDR_HD void corners_to_coefficients_gradient(const T grad_c[4], T grad_w[4]) {
  grad_w[0] = (grad_c[0] - grad_c[1]) + (grad_c[3] - grad_c[2]);
  grad_w[1] = grad_c[2] - grad_c[3];
  grad_w[2] = grad_c[1] - grad_c[3];
  grad_w[3] = grad_c[3];
}

// dz_i = p_i (dp_i - <p, dp>) / temperature, where dp_i = sum_uv grad_w_uv t_i[uv] and so <p, dp> = <w, grad_w>.
template <class T>
RNDR_HD T softmax_gradient(int gate, T p, const T grad_w[4], T mean, T inverse_temperature) {
  T dp = T(0);
  for (int corner = 0; corner < 4; ++corner) dp += gate_output(gate, corner) ? grad_w[corner] : T(0);
  return p * (dp - mean) * inverse_temperature;
}

RNDR_NAMESPACE_END
