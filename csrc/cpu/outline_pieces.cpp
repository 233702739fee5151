#include "cpu/outline_pieces.h"

#include <limits>

#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kFacesPerCell = 16, kFewestCells = 64, kMostCells = 1 << 16;
constexpr int kCandidateChunk = 64;
constexpr int kInsertion = 32;  // half-edges of a vertex that are sorted by insertion

Grid grid_over(const Box& domain, int items) {
  const double width = std::max(domain.x1 - domain.x0, 1e-6), height = std::max(domain.y1 - domain.y0, 1e-6);
  const double cells = std::min(std::max(items / kFacesPerCell, kFewestCells), kMostCells);
  const double size = std::max(std::sqrt(width * height / cells), std::max(width, height) / cells);
  return {domain.x0, domain.y0, size, size, std::max(1, static_cast<int>(std::ceil(width / size))),
          std::max(1, static_cast<int>(std::ceil(height / size)))};
}

}  // namespace

EdgeGroups group_edges(const int64_t* faces, int face_count, int vertex_count) {
  struct HalfEdge {
    int low, high;
  };
  const int count = 3 * face_count;
  std::vector<HalfEdge> ends(count);
  // Counting sort by the lower vertex; the few half-edges of one vertex are then sorted by the other.
  std::vector<int> bucket(vertex_count + 1, 0);
  for (int f = 0; f < face_count; ++f)
    for (int k = 0; k < 3; ++k) {
      const int a = static_cast<int>(faces[3 * f + k]), b = static_cast<int>(faces[3 * f + (k == 2 ? 0 : k + 1)]);
      ends[3 * f + k] = {std::min(a, b), std::max(a, b)};
      ++bucket[ends[3 * f + k].low + 1];
    }
  for (int v = 0; v < vertex_count; ++v) bucket[v + 1] += bucket[v];
  EdgeGroups groups;
  groups.half_edge.resize(count);
  std::vector<int> next(bucket.begin(), bucket.end() - 1);
  for (int h = 0; h < count; ++h) groups.half_edge[next[ends[h].low]++] = h;
  groups.start.reserve(count / 2 + 2);
  const auto by_high = [&](int g, int h) { return ends[g].high < ends[h].high; };
  for (int v = 0; v < vertex_count; ++v) {
    int* const first = groups.half_edge.data() + bucket[v];
    int* const last = groups.half_edge.data() + bucket[v + 1];
    if (last - first > kInsertion) {
      std::stable_sort(first, last, by_high);
    } else {
      for (int* it = first; it != last; ++it)
        for (int* to = it; to != first && by_high(*to, *(to - 1)); --to) std::swap(*to, *(to - 1));
    }
    for (int* it = first; it != last; ++it)
      if (it == first || by_high(*(it - 1), *it)) groups.start.push_back(static_cast<int>(it - groups.half_edge.data()));
  }
  groups.start.push_back(count);
  return groups;
}

template <class T>
Outline<T>::Outline(const Screen<T>& screen, int view, const EdgeGroups* edges, double radius, int threads)
    : screen_(screen), view_(view) {
  set_domain(radius);
  const int count = screen.face_count;
  side_.assign(count, 0);
  std::vector<Box> boxes(count, Box{0, 0, -1, -1});
  parallel_chunks(count, 1024, threads, [&](long begin, long end) {
    for (long f = begin; f < end; ++f) {
      if (!screen_.in_front(view_, static_cast<int>(f))) continue;
      double x[3], y[3];
      screen_.corners(view_, static_cast<int>(f), x, y);
      const double area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
      side_[f] = static_cast<signed char>((area > 0) - (area < 0));
      if (side_[f]) boxes[f] = face_box(screen_, view_, static_cast<int>(f), 0);
    }
  });
  // Three parts that need only the boxes and the sides.
  parallel_items(3, threads, [&](int part) {
    if (part == 0) fill_mask(boxes);
    if (part == 1) find_candidates(edges ? *edges : group_edges(screen_.faces, count, screen_.vertex_count));
    if (part == 2) faces_ = bin_boxes(grid_over(domain_, count), boxes);
  });

  std::vector<Box> candidate_boxes(candidates_.size());
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const OutlineCandidate& c = candidates_[i];
    candidate_boxes[i] = {std::min(c.ax, c.bx), std::min(c.ay, c.by), std::max(c.ax, c.bx), std::max(c.ay, c.by)};
  }
  const Bins bins = bin_boxes(grid_over(domain_, static_cast<int>(candidates_.size()) * kFacesPerCell / 2), candidate_boxes);
  const long chunks = (static_cast<long>(candidates_.size()) + kCandidateChunk - 1) / kCandidateChunk;
  std::vector<std::vector<OutlinePiece>> found(chunks);
  parallel_chunks(static_cast<long>(candidates_.size()), kCandidateChunk, threads, [&](long begin, long end) {
    std::vector<int> seen(candidates_.size(), -1);
    for (long i = begin; i < end; ++i) cut(candidates_[i], static_cast<int>(i), bins, seen, found[begin / kCandidateChunk]);
  });
  for (const auto& part : found) pieces.insert(pieces.end(), part.begin(), part.end());
}

// The image grown by the radius, but no larger than the faces themselves.
template <class T>
void Outline<T>::set_domain(double radius) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Box faces{inf, inf, -inf, -inf};
  const T* v = screen_.view(view_);
  for (int i = 0; i < screen_.vertex_count; ++i, v += 3) {
    if (!(v[2] > 0)) continue;
    faces = {std::min<double>(faces.x0, v[0]), std::min<double>(faces.y0, v[1]), std::max<double>(faces.x1, v[0]),
             std::max<double>(faces.y1, v[1])};
  }
  const double margin = radius + 1;
  domain_ = {std::max(faces.x0 - 1, -margin), std::max(faces.y0 - 1, -margin), std::min(faces.x1 + 1, screen_.width + margin),
             std::min(faces.y1 + 1, screen_.height + margin)};
  if (!(domain_.x1 > domain_.x0) || !(domain_.y1 > domain_.y0)) domain_ = {0, 0, 1, 1};  // nothing in sight
}

template <class T>
void Outline<T>::fill_mask(const std::vector<Box>& boxes) {
  const int width = screen_.width, height = screen_.height;
  mask.assign(static_cast<size_t>(width) * height, 0);
  for (int face = 0; face < screen_.face_count; ++face) {
    const Box& box = boxes[face];
    const PixelRange columns = centres_within(box.x0, box.x1, 0, width - 1), rows = centres_within(box.y0, box.y1, 0, height - 1);
    if (columns.first > columns.last || rows.first > rows.last) continue;
    double x[3], y[3];
    screen_.corners(view_, face, x, y);
    const TriangleSides sides(x, y, side_[face]);
    for (int row = rows.first; row <= rows.last; ++row) {
      unsigned char* m = mask.data() + static_cast<size_t>(row) * width;
      for (int column = columns.first; column <= columns.last; ++column)
        m[column] |= static_cast<unsigned char>(sides.contain(column + 0.5, row + 0.5));
    }
  }
}

template <class T>
void Outline<T>::find_candidates(const EdgeGroups& edges) {
  const T* vertices = screen_.view(view_);
  for (size_t group = 0; group + 1 < edges.start.size(); ++group) {
    int from = -1, to = -1;
    bool one_sided = true;
    for (int i = edges.start[group]; i < edges.start[group + 1]; ++i) {
      const int h = edges.half_edge[i], side = side_[h / 3];
      if (side == 0) continue;  // covers nothing
      int a = static_cast<int>(screen_.faces[h]), b = static_cast<int>(screen_.faces[h % 3 == 2 ? h - 2 : h + 1]);
      if (side < 0) std::swap(a, b);  // now the face lies to the left of a -> b
      if (from < 0) from = a, to = b;
      if (from != a) one_sided = false;
    }
    if (from < 0 || !one_sided) continue;
    const T *a = vertices + 3 * from, *b = vertices + 3 * to;
    const OutlineCandidate c{a[0], a[1], b[0], b[1], from, to};
    if (std::max(c.ax, c.bx) < domain_.x0 || std::min(c.ax, c.bx) > domain_.x1 || std::max(c.ay, c.by) < domain_.y0 ||
        std::min(c.ay, c.by) > domain_.y1)
      continue;
    candidates_.push_back(c);
  }
}

template <class T>
bool Outline<T>::covered(double px, double py) const {
  const Grid& grid = faces_.grid;
  const int cell = grid.row(py) * grid.columns + grid.column(px);
  for (int i = faces_.start[cell]; i < faces_.start[cell + 1]; ++i) {
    double x[3], y[3];
    screen_.corners(view_, faces_.item[i], x, y);
    if (TriangleSides(x, y, side_[faces_.item[i]]).contain(px, py)) return true;
  }
  return false;
}

template <class T>
void Outline<T>::cut(const OutlineCandidate& e, int index, const Bins& bins, std::vector<int>& seen, std::vector<OutlinePiece>& out) const {
  const double dx = e.bx - e.ax, dy = e.by - e.ay;
  double first, last;
  if ((dx == 0 && dy == 0) || !clip_segment(e, {domain_.x0, domain_.y0, domain_.x1, domain_.y1}, first, last)) return;

  struct Cut {
    double t;
    int other;  // the crossing candidate, or -1 for an end
  };
  std::vector<Cut> cuts{{first, -1}, {last, -1}};
  const Grid& grid = bins.grid;
  const int c0 = grid.column(std::min(e.ax, e.bx)), c1 = grid.column(std::max(e.ax, e.bx));
  const int r0 = grid.row(std::min(e.ay, e.by)), r1 = grid.row(std::max(e.ay, e.by));
  for (int row = r0; row <= r1; ++row)
    for (int column = c0; column <= c1; ++column) {
      const int cell = row * grid.columns + column;
      for (int i = bins.start[cell]; i < bins.start[cell + 1]; ++i) {
        const int other = bins.item[i];
        double t;
        if (seen[other] == index || other == index) continue;
        seen[other] = index;
        if (!crossing_of(e, candidates_[other], first, last, t)) continue;
        cuts.push_back({t, other});
      }
    }
  std::sort(cuts.begin(), cuts.end(), [](const Cut& p, const Cut& q) { return p.t != q.t ? p.t < q.t : p.other < q.other; });

  bool open = false;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    if (cuts[i + 1].t - cuts[i].t <= 0) continue;
    double x, y;
    outside_point(e, 0.5 * (cuts[i].t + cuts[i + 1].t), x, y);
    const bool visible = !covered(x, y);
    const Cut &begin = cuts[i], &end = cuts[i + 1];
    const auto partner_a = [&](const Cut& c) { return c.other < 0 ? -1 : candidates_[c.other].a; };
    const auto partner_b = [&](const Cut& c) { return c.other < 0 ? -1 : candidates_[c.other].b; };
    if (visible && !open)
      out.push_back({e.ax + begin.t * dx, e.ay + begin.t * dy, 0, 0, e.a, e.b, partner_a(begin), partner_b(begin), -1, -1});
    if (visible) {
      OutlinePiece& piece = out.back();
      piece.bx = e.ax + end.t * dx, piece.by = e.ay + end.t * dy;
      piece.end_c = partner_a(end), piece.end_d = partner_b(end);
    }
    open = visible;
  }
}

template class Outline<float>;
template class Outline<double>;

}  // namespace rndr
