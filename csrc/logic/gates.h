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

// e: exp of the (shifted) logits; returns the inverse of their sum and w, the corner probabilities.
template <class T>
RNDR_HD T corner_probabilities(const T e[16], T w[4]) {
  T s00 = T(0), s01 = T(0), s10 = T(0), s11 = T(0), sum = T(0);
  for (int i = 0; i < kGates; ++i) {
    sum += e[i];
    s00 += (i & 8) ? e[i] : T(0);
    s01 += (i & 4) ? e[i] : T(0);
    s10 += (i & 2) ? e[i] : T(0);
    s11 += (i & 1) ? e[i] : T(0);
  }
  const T inverse = T(1) / sum;
  w[0] = s00 * inverse, w[1] = s01 * inverse, w[2] = s10 * inverse, w[3] = s11 * inverse;
  return inverse;
}

// dz_i = p_i (dp_i - <p, dp>) / temperature, where dp_i = sum_uv grad_w_uv t_i[uv] and so <p, dp> = <w, grad_w>.
template <class T>
RNDR_HD T softmax_gradient(int gate, T p, const T grad_w[4], T mean, T inverse_temperature) {
  const T dp = ((gate & 8) ? grad_w[0] : T(0)) + ((gate & 4) ? grad_w[1] : T(0)) + ((gate & 2) ? grad_w[2] : T(0)) +
               ((gate & 1) ? grad_w[3] : T(0));
  return p * (dp - mean) * inverse_temperature;
}

RNDR_NAMESPACE_END
