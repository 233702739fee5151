// Colour by a softmax over depth, of the attributes of all faces that cover a pixel: one pass with a running maximum.
#pragma once
#include "cpu/coverage_plan.h"
#include "cpu/screen.h"

namespace rndr {

// Attributes (B, A, C) of the corners; corner k of face f reads attribute corners[3 f + k].
template <class T>
struct Attributes {
  const T* values;
  const int64_t* corners;
  int count, channels;
};

struct SoftmaxSettings {
  double eps, near, far;
  bool perspective;
};

// parameters: scale, shape, shift, gamma. colour: (B, H, W, C), without the background; background: (B, H, W), the background's weight; nearest, sum: (B, H, W).
template <class T>
void depth_softmax_forward(const Screen<T>& screen, const Attributes<T>& attributes, const T* parameters, const CoverageSettings& coverage,
                           const SoftmaxSettings& softmax, T* colour, T* background, T* nearest, T* sum);

// Writes grad_vertices (B, V, 3), grad_attributes (B, A, C) and grad_parameters (B, 4): scale, shape, shift, gamma.
template <class T>
void depth_softmax_backward(const Screen<T>& screen, const Attributes<T>& attributes, const T* parameters,
                            const CoverageSettings& coverage, const SoftmaxSettings& softmax, const T* colour, const T* background,
                            const T* nearest, const T* sum, const T* grad_colour, const T* grad_background, T* grad_vertices,
                            T* grad_attributes, T* grad_parameters);

}  // namespace rndr
