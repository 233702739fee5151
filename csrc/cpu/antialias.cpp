#include "cpu/antialias.h"

#include "cpu/half_edges.h"
#include "cpu/pixel_rows.h"
#include "raster/antialias.h"

namespace rndr {
namespace {

template <class T>
class Finder {
 public:
  Finder(const Screen<T>& s, const HalfEdges& edges, int b, const int64_t* face_id, const T* depth, int32_t* crossings)
      : s_(s), edges_(edges), b_(b), face_id_(face_id), depth_(depth), crossings_(crossings) {}

  // Surfaces end at few edges: those tell which pairs to look at.
  void run() {
    std::fill_n(crossings_, 2 * static_cast<size_t>(s_.height) * s_.width, -1);
    for (const int h : edges_.first)
      if (may_end(h)) visit_edge(h);
  }

 private:
  // False for an edge whose faces lie on both of its sides.
  bool may_end(int h) const {
    const Axis<T> v{s_, b_, 0};
    const int64_t p = v.vertex(h, 0), q = v.vertex(h, 1);
    bool left = false, right = false, any = false;
    int at = h;
    do {
      if (s_.in_front(b_, at / 3)) {
        const double side = v.side(p, q, v.vertex(at, 2));
        left |= side < 0, right |= side > 0, any = true;
      }
      at = edges_.next[at];
    } while (at != h);
    return any && !(left && right);
  }

  void visit_edge(int h) {
    const int axis = Axis<T>{s_, b_, 0}.counts(Axis<T>{s_, b_, 0}.vertex(h, 0), Axis<T>{s_, b_, 0}.vertex(h, 1)) ? 0 : 1;
    const Axis<T> v{s_, b_, axis};
    const int64_t p = v.vertex(h, 0), q = v.vertex(h, 1);
    const int length = axis == 0 ? s_.width : s_.height, lines = axis == 0 ? s_.height : s_.width;
    const PixelRange range = centres_within(std::min(v.across(p), v.across(q)), std::max(v.across(p), v.across(q)), 0, lines - 1);
    for (int line = range.first; line <= range.last; ++line) {
      int64_t below, above;
      if (!v.cut(h, line + 0.5, below, above)) continue;
      const double along = v.crossing(below, above, line + 0.5).along - 0.5;
      if (!(along >= 0 && along <= length - 1)) continue;
      const int first = static_cast<int>(along);
      if (first + 1 < length) visit_pair(v, first, line);
      if (first == along && first > 0) visit_pair(v, first - 1, line);  // at a centre, it may belong to either side
    }
  }

  void visit_pair(const Axis<T>& v, int along, int across) {
    const size_t here = v.axis == 0 ? static_cast<size_t>(across) * s_.width + along : static_cast<size_t>(along) * s_.width + across;
    const size_t there = here + (v.axis == 0 ? 1 : s_.width);
    int32_t& crossing = crossings_[2 * here + v.axis];
    if (crossing >= 0 || face_id_[here] == face_id_[there]) return;
    check_face(face_id_[here], s_.face_count);
    check_face(face_id_[there], s_.face_count);
    crossing = crossing_code(v, edges_.next.data(), face_id_[here], face_id_[there], depth_[here], depth_[there], along, across);
  }

  const Screen<T>& s_;
  const HalfEdges& edges_;
  int b_;
  const int64_t* face_id_;
  const T* depth_;
  int32_t* crossings_;
};

// Calls body(axis, blend, from, to) for every crossing of view b, pixel by pixel; from and to are pixels.
template <class T, class Body>
void for_each_crossing(const Screen<T>& s, int b, const int32_t* crossings, const Body& body) {
  for (int row = 0; row < s.height; ++row)
    for (int column = 0; column < s.width; ++column) {
      const size_t here = static_cast<size_t>(row) * s.width + column;
      for (int axis = 0; axis < 2; ++axis) {
        const int32_t code = crossings[2 * here + axis];
        if (code < 0) continue;
        const Blend blend = blend_of(s, b, axis, code, column, row);
        const size_t there = here + (axis == 0 ? 1 : s.width);
        body(axis, blend, blend.second ? there : here, blend.second ? here : there);
      }
    }
}

}  // namespace

template <class T>
void antialias_forward(const Screen<T>& s, const int64_t* face_id, const T* depth, const T* image, int channels, int threads,
                       int32_t* crossings, T* out) {
  check_screen(s);
  const HalfEdges edges = half_edges(s.faces, s.face_count, s.vertex_count);
  const size_t pixels = static_cast<size_t>(s.height) * s.width;
  parallel_items(s.batch, threads, [&](int b) {
    int32_t* codes = crossings + 2 * b * pixels;
    Finder<T>(s, edges, b, face_id + b * pixels, depth + b * pixels, codes).run();
    const T* from_image = image + b * pixels * channels;
    T* to_image = out + b * pixels * channels;
    std::copy_n(from_image, pixels * channels, to_image);
    for_each_crossing(s, b, codes, [&](int, const Blend& blend, size_t from, size_t to) {
      T* target = to_image + (blend.into_to() ? to : from) * channels;
      for (int c = 0; c < channels; ++c) target[c] += T(blend.over) * (from_image[from * channels + c] - from_image[to * channels + c]);
    });
  });
}

template <class T>
void antialias_backward(const Screen<T>& s, const T* image, int channels, int threads, const int32_t* crossings, const T* grad,
                        T* grad_image, T* grad_vertices) {
  const size_t pixels = static_cast<size_t>(s.height) * s.width;
  std::fill_n(grad_vertices, static_cast<size_t>(s.batch) * s.vertex_count * 3, T(0));
  parallel_items(s.batch, threads, [&](int b) {
    const T *view = image + b * pixels * channels, *g = grad + b * pixels * channels;
    T *gi = grad_image + b * pixels * channels, *gv = grad_vertices + static_cast<size_t>(b) * s.vertex_count * 3;
    std::copy_n(g, pixels * channels, gi);
    for_each_crossing(s, b, crossings + 2 * b * pixels, [&](int axis, const Blend& blend, size_t from, size_t to) {
      const T* target = g + (blend.into_to() ? to : from) * channels;
      double slope = 0;
      for (int c = 0; c < channels; ++c) {
        slope += static_cast<double>(target[c]) * (view[from * channels + c] - view[to * channels + c]);
        gi[from * channels + c] += T(blend.over) * target[c];
        gi[to * channels + c] -= T(blend.over) * target[c];
      }
      double end[4];
      edge_crossing_gradient(blend.crossing, blend.sign * slope, end);
      gv[3 * blend.below + axis] += T(end[0]), gv[3 * blend.below + 1 - axis] += T(end[1]);
      gv[3 * blend.above + axis] += T(end[2]), gv[3 * blend.above + 1 - axis] += T(end[3]);
    });
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                   \
  template void antialias_forward<T>(const Screen<T>&, const int64_t*, const T*, const T*, int, int, int32_t*, T*);           \
  template void antialias_backward<T>(const Screen<T>&, const T*, int, int, const int32_t*, const T*, T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
