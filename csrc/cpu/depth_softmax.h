// Colour by a softmax over depth, of the attributes of all faces that cover a pixel: one pass with a running maximum.
#pragma once
#include "cpu/coverage_plan.h"
#include "cpu/screen.h"
#include "raster/softmax.h"

namespace rndr {

struct SoftmaxSettings {
  double eps, near, far;
  bool perspective;
};

// parameters: scale, shape, shift, gamma. colour: (B, H, W, C), without the background; background: (B, H, W), the background's weight; nearest, sum: (B, H, W).
template <class T>
void depth_softmax_forward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                           const CoverageSettings& coverage, const SoftmaxSettings& softmax, T* colour, T* background, T* nearest, T* sum);

// Gradients of everything, in the shapes of what they belong to; parameters (B, 4).
template <class T>
struct SoftmaxGradients {
  T *vertices, *attributes, *parameters, *uv, *slopes, *texels;
};

template <class T>
void depth_softmax_backward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                            const CoverageSettings& coverage, const SoftmaxSettings& softmax, const T* colour, const T* background,
                            const T* nearest, const T* sum, const T* grad_colour, const T* grad_background,
                            const SoftmaxGradients<T>& gradients);

}  // namespace rndr
