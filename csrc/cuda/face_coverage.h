// Soft coverage by every face, aggregated by a T-conorm: cpu/face_coverage.h on the GPU.
#pragma once
#include "cuda/bins.h"
#include "cuda/coverage_plan.h"
#include "cuda/scatter.h"
#include "cuda/screen.h"

RNDR_NAMESPACE_BEGIN

template <class T>
void face_coverage_forward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                           const Bins& bins, T* state, T* ties, T* value, Status status, cudaStream_t stream);

// grad_vertices adds up in a target that is 0; sources are (B, F, 3 corners). parameter_parts (B, parts, 4) are to be summed over parts, of
// which there is one for each tile, and if sums are ordered one for each face, too.
template <class T>
void face_coverage_backward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                            const Bins& bins, const T* state, const T* ties, const T* grad, const Scatter<T>& grad_vertices,
                            double* parameter_parts, Status status, cudaStream_t stream);

RNDR_NAMESPACE_END
