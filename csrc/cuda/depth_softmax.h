// Colour by a softmax over depth: cpu/depth_softmax.h on the GPU.
#pragma once
#include "cuda/bins.h"
#include "cuda/coverage_plan.h"
#include "cuda/scatter.h"
#include "cuda/screen.h"
#include "raster/softmax.h"

RNDR_NAMESPACE_BEGIN

struct SoftmaxSettings {
  double eps, near, far;
  bool perspective;
};

template <class T>
void depth_softmax_forward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                           const CoverageSettings& settings, const SoftmaxSettings& softmax, CoveragePlan<T>* plan, const Bins& bins,
                           T* colour, T* background, T* nearest, T* sum, Status status, cudaStream_t stream);

// What add up in targets that are 0. Sources, where sums are ordered: (B, F, 3 corners) of vertices and attributes. Those of textures are
// never ordered: uv, slopes and texels are written by atomics.
template <class T>
struct SoftmaxScatters {
  Scatter<T> vertices, attributes, uv, slopes, texels;
};

// Images of a pixel's forward pass and the gradients of its outputs.
template <class T>
struct SoftmaxImages {
  const T *colour, *background, *nearest, *sum, *grad_colour, *grad_background;
};

// parameter_parts: as of face_coverage_backward.
template <class T>
void depth_softmax_backward(const Screen<T>& screen, const Attributes<T>& attributes, const TextureSet<T>& textures, const T* parameters,
                            const CoverageSettings& settings, const SoftmaxSettings& softmax, CoveragePlan<T>* plan, const Bins& bins,
                            const SoftmaxImages<T>& images, const SoftmaxScatters<T>& gradients, double* parameter_parts, Status status,
                            cudaStream_t stream);

RNDR_NAMESPACE_END
