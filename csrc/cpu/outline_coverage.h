// Soft coverage by the union of the faces: F(signed distance to the outline). Unbiased on fine meshes.
#pragma once
#include <cstdint>

#include "cpu/coverage_plan.h"
#include "cpu/screen.h"

namespace rndr {

// value, distance: (B, H, W); nearest: (B, H, W, 4) int32, the vertices of what the pixel's nearest outline point hangs on:
// (a, b, -1, -1) an edge, (a, a, -1, -1) a vertex, (a, b, c, d) the crossing of two edges, (-1, ...) nothing within the support.
template <class T>
void outline_coverage_forward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, T* value, T* distance,
                              int32_t* nearest);

template <class T>
void outline_coverage_backward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, const T* distance,
                               const int32_t* nearest, const T* grad, T* grad_vertices, T* grad_parameters);

}  // namespace rndr
