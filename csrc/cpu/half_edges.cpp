#include "cpu/half_edges.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace rndr {

HalfEdges half_edges(const int64_t* faces, int face_count, int vertex_count) {
  if (face_count > std::numeric_limits<int>::max() / 6) throw std::invalid_argument("faces: there are too many to number their edges");
  struct End {
    int high, half_edge;
    bool operator<(const End& o) const { return high != o.high ? high < o.high : half_edge < o.half_edge; }
  };
  // Buckets by the lower vertex of an edge.
  std::vector<int> start(vertex_count + 1, 0);
  const auto visit = [&](const auto& body) {
    for (int f = 0; f < face_count; ++f) {
      const int v[3] = {static_cast<int>(faces[3 * static_cast<size_t>(f)]), static_cast<int>(faces[3 * static_cast<size_t>(f) + 1]),
                        static_cast<int>(faces[3 * static_cast<size_t>(f) + 2])};
      if (v[0] == v[1] || v[1] == v[2] || v[2] == v[0]) continue;
      for (int k = 0; k < 3; ++k) {
        const int a = v[k], b = v[k == 2 ? 0 : k + 1];
        body(std::min(a, b), std::max(a, b), 3 * f + k);
      }
    }
  };
  visit([&](int low, int, int) { ++start[low + 1]; });
  for (int v = 0; v < vertex_count; ++v) start[v + 1] += start[v];
  std::vector<End> ends(start.back());
  std::vector<int> at(start.begin(), start.end() - 1);
  visit([&](int low, int high, int h) { ends[at[low]++] = {high, h}; });
  HalfEdges edges;
  edges.next.resize(3 * static_cast<size_t>(face_count));
  edges.first.reserve(ends.size() / 2 + 1);
  for (int v = 0; v < vertex_count; ++v) {
    std::sort(ends.begin() + start[v], ends.begin() + start[v + 1]);
    for (int i = start[v]; i < start[v + 1];) {
      int j = i;
      while (j + 1 < start[v + 1] && ends[j + 1].high == ends[i].high) {
        edges.next[ends[j].half_edge] = ends[j + 1].half_edge;
        ++j;
      }
      edges.next[ends[j].half_edge] = ends[i].half_edge;
      edges.first.push_back(ends[i].half_edge);
      i = j + 1;
    }
  }
  return edges;
}

}  // namespace rndr
