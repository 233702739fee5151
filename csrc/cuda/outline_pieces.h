// The pieces of the outline, formed edge by edge while they are needed: cpu/outline_pieces.cpp without lists of unknown length.
#pragma once
#include "cuda/outline_coverage.h"

RNDR_NAMESPACE_BEGIN

template <class T>
struct OutlineScene {
  Screen<T> screen;
  OutlineBuffers buffers;

  __device__ const OutlineCandidateSlot& slot(int view, int i) const {
    return buffers.candidates[static_cast<size_t>(view) * 3 * screen.face_count + i];
  }
  // Cells of the grid over the domain that a box meets; false for none.
  __device__ bool cells(int view, const Rectangle& box, CellRange& r) const {
    const Rectangle d = buffers.domain[view];
    if (!(box.x1 >= box.x0) || box.x1 < d.x0 || box.x0 > d.x1 || box.y1 < d.y0 || box.y0 > d.y1) return false;
    r = {column(d, box.x0), column(d, box.x1), row(d, box.y0), row(d, box.y1)};
    return true;
  }
  __device__ long long cell_at(int view, int column, int row) const {
    return (static_cast<long long>(view) * buffers.rows + row) * buffers.columns + column;
  }
  __device__ double drawn(int view, int face, double x[3], double y[3]) const {
    double z[3];
    return valid_face(screen, face) ? drawn_area2(screen, view, face, false, x, y, z) : 0;
  }
  // Whether a face lies at a point.
  __device__ bool covered(int view, double px, double py) const {
    const Rectangle d = buffers.domain[view];
    const CellItems faces = items_of(buffers.faces, cell_at(view, column(d, px), row(d, py)), screen.face_count);
    for (int i = 0; i < faces.count; ++i) {
      double x[3], y[3];
      const double area = drawn(view, faces.at(i), x, y);
      if (area != 0 && TriangleSides(x, y, area > 0 ? 1 : -1).contain(px, py)) return true;
    }
    return false;
  }

 private:
  __device__ static int clamped(double position, int count) {
    if (!(position > 0)) return 0;
    return position >= count ? count - 1 : static_cast<int>(position);
  }
  __device__ int column(const Rectangle& d, double x) const { return clamped((x - d.x0) / (d.x1 - d.x0) * buffers.columns, buffers.columns); }
  __device__ int row(const Rectangle& d, double y) const { return clamped((y - d.y0) / (d.y1 - d.y0) * buffers.rows, buffers.rows); }
};

// A cut of a candidate: where, and by which others, of those at the very same place the first and the last.
struct Cut {
  double t;
  int first, last;  // -1: an end
};

// Goes along a candidate from cut to cut.
template <class T>
class PieceWalk {
 public:
  __device__ PieceWalk(const OutlineScene<T>& scene, int view, int index) : scene_(scene), view_(view), index_(index), at_{0, -1, -1}, last_(0) {
    if (index < 0) return;
    edge_ = scene.slot(view, index).edge;
    double first;
    if (clip_segment(edge_, scene.buffers.domain[view], first, last_))
      at_.t = first_ = first;
    else
      last_ = at_.t;
  }
  __device__ bool done() const { return !(at_.t < last_); }

  // The next visible piece; false if there is none.
  __device__ bool next(OutlinePiece& piece) {
    bool open = false;
    while (!done()) {
      const Cut end = next_cut(at_.t);
      double x, y;
      outside_point(edge_, 0.5 * (at_.t + end.t), x, y);
      const bool visible = !scene_.covered(view_, x, y);
      if (visible && !open) begin_piece(piece);
      if (visible) end_piece(piece, end);
      const bool closes = open && !visible;
      open = visible;
      at_ = end;
      if (closes) return true;
    }
    return open;
  }
  // The candidate from here to its end, as one piece.
  __device__ void whole(OutlinePiece& piece) const {
    begin_piece(piece);
    end_piece(piece, {last_, -1, -1});
  }
  // Whether nothing cuts the candidate between here and its end.
  __device__ bool uncut() const { return next_cut(at_.t).first < 0; }

 private:
  __device__ Cut next_cut(double after) const {
    Cut best{last_, -1, -1};
    CellRange r;
    const Rectangle box{min_(edge_.ax, edge_.bx), min_(edge_.ay, edge_.by), max_(edge_.ax, edge_.bx), max_(edge_.ay, edge_.by)};
    if (!scene_.cells(view_, box, r)) return best;
    for (int row = r.r0; row <= r.r1; ++row)
      for (int column = r.c0; column <= r.c1; ++column) {
        const CellItems others = items_of(scene_.buffers.edges, scene_.cell_at(view_, column, row), 3 * scene_.screen.face_count);
        for (int i = 0; i < others.count; ++i) {
          const int other = others.at(i);
          const OutlineCandidateSlot& slot = scene_.slot(view_, other);
          double t;
          if (other == index_ || slot.kind == CandidateKind::kNone || !crossing_of(edge_, slot.edge, first_, last_, t)) continue;
          if (t <= after || t > best.t) continue;
          if (t < best.t) best = {t, other, other};
          best.first = min_(best.first, other);
          best.last = max_(best.last, other);
        }
        if (!others.item) return best;  // there is no list: these were all candidates, whatever the cell
      }
    return best;
  }
  __device__ void begin_piece(OutlinePiece& p) const {
    p.a = edge_.a, p.b = edge_.b;
    p.ax = edge_.ax + at_.t * (edge_.bx - edge_.ax), p.ay = edge_.ay + at_.t * (edge_.by - edge_.ay);
    partner(at_.last, p.start_c, p.start_d);
  }
  __device__ void end_piece(OutlinePiece& p, const Cut& end) const {
    p.bx = edge_.ax + end.t * (edge_.bx - edge_.ax), p.by = edge_.ay + end.t * (edge_.by - edge_.ay);
    partner(end.first, p.end_c, p.end_d);
  }
  __device__ void partner(int other, int& c, int& d) const {
    c = other < 0 ? -1 : scene_.slot(view_, other).edge.a;
    d = other < 0 ? -1 : scene_.slot(view_, other).edge.b;
  }

  const OutlineScene<T>& scene_;
  int view_, index_;
  OutlineCandidate edge_{};
  Cut at_;
  double first_ = 0, last_;
};

RNDR_NAMESPACE_END
