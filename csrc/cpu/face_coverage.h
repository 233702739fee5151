// Soft coverage by every face, aggregated by a T-conorm: the published definition.
#pragma once
#include "cpu/coverage_plan.h"
#include "cpu/screen.h"

namespace rndr {

// parameters: scale, shape, shift, p. state, ties, value: (B, H, W); ties only for T-conorms that count them, else null.
template <class T>
void face_coverage_forward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, T* state, T* ties,
                           T* value);

// grad: (B, H, W). Writes grad_vertices (B, V, 3; depth gets 0) and grad_parameters (B, 4).
template <class T>
void face_coverage_backward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, const T* state,
                            const T* ties, const T* grad, T* grad_vertices, T* grad_parameters);

// Pixels within the support of each face, summed over faces and views: the unit of work of the benchmarks.
template <class T>
long long covered_pairs(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings);

}  // namespace rndr
