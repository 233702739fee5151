// Which faces meet at which edge. Half-edge h = 3 f + k of face f runs from its vertex k to its vertex (k + 1) % 3.
#pragma once
#include <cstdint>
#include <vector>

namespace rndr {

struct HalfEdges {
  std::vector<int> next;   // the next half-edge of the same undirected edge, in a ring; itself at a border
  std::vector<int> first;  // one half-edge of each undirected edge
};

// Faces that name a vertex twice have no edges. Vertex indices must be in range.
HalfEdges half_edges(const int64_t* faces, int face_count, int vertex_count);

}  // namespace rndr
