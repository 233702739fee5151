// Soft coverage by the union of the faces: cpu/outline_coverage.h on the GPU.
#pragma once
#include "cuda/bins.h"
#include "cuda/coverage_plan.h"
#include "cuda/scatter.h"
#include "cuda/screen.h"
#include "cuda/sorted_edges.h"
#include "raster/outline.h"

RNDR_NAMESPACE_BEGIN

// How a candidate for the outline is worked on.
enum class CandidateKind : int { kNone, kHidden, kWhole, kCut };

struct OutlineCandidateSlot {
  OutlineCandidate edge;
  CandidateKind kind;
};

// Buffers: domain (B,), where the outline is needed; candidates (B, 3 F), one a place in the order of edges.
struct OutlineBuffers {
  Rectangle* domain;
  OutlineCandidateSlot* candidates;
  int columns, rows;    // of the grid over the domain
  Bins faces;           // on that grid
  Bins edges;           // candidates, likewise
  Bins tile_faces;      // on the tiles of the image
  Bins tile_edges;      // candidates within the support of a tile
};

template <class T>
void outline_coverage_forward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                              const SortedEdges& order, const OutlineBuffers& buffers, T* value, T* distance, int32_t* nearest,
                              Status status, cudaStream_t stream);

// grad_vertices adds up in a target that is 0; sources are (B, H, W, 4). parameter_parts (B, tiles, 4) are to be summed over tiles.
template <class T>
void outline_coverage_backward(const Screen<T>& screen, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                               const T* distance, const int32_t* nearest, const T* grad, const Scatter<T>& grad_vertices,
                               double* parameter_parts, Status status, cudaStream_t stream);

RNDR_NAMESPACE_END
