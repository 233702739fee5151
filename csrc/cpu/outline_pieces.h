// The outline of the union of projected faces, as straight pieces.
//
// A candidate is an edge with faces on one side only (a silhouette or boundary edge). Whether the far side of a candidate
// is covered by some other face can change only where it crosses another candidate, so every candidate is cut there and
// each part is kept if a point just outside it lies in no face.
#pragma once
#include "cpu/screen.h"
#include "raster/outline.h"

namespace rndr {

// Half-edge 3 f + k runs from vertex k to k + 1 of face f. Groups share their two vertices: one or more faces an edge.
struct EdgeGroups {
  std::vector<int> half_edge;
  std::vector<int> start;
};
EdgeGroups group_edges(const int64_t* faces, int face_count, int vertex_count);

template <class T>
class Outline {
 public:
  // Pieces within `radius` of the image, and the hard mask (H, W): 1 where the pixel centre lies in a face.
  // edges: of the faces, if the caller has them already, else null.
  Outline(const Screen<T>& screen, int view, const EdgeGroups* edges, double radius, int threads);

  std::vector<OutlinePiece> pieces;
  std::vector<unsigned char> mask;

 private:
  void set_domain(double radius);
  void fill_mask(const std::vector<Box>& boxes);
  void find_candidates(const EdgeGroups& edges);
  void cut(const OutlineCandidate& candidate, int index, const Bins& bins, std::vector<int>& seen, std::vector<OutlinePiece>& out) const;
  bool covered(double x, double y) const;

  const Screen<T>& screen_;
  int view_;
  Box domain_;                     // where the outline is needed
  std::vector<signed char> side_;  // sign of each face's projected area, 0 for faces that cover nothing
  Bins faces_;
  std::vector<OutlineCandidate> candidates_;
};

}  // namespace rndr
