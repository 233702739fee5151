#include "cpu/antialias.h"

#include "cpu/coverage_plan.h"
#include "cpu/half_edges.h"
#include "cpu/pixel_rows.h"
#include "raster/crossing.h"

namespace rndr {
namespace {

// Faces that a walk crosses between two neighbouring centres before it gives up: far more than can matter to a pixel.
constexpr int kMaxSteps = 256;

// One view seen along x (axis 0: pairs of horizontal neighbours) or along y (axis 1).
template <class T>
struct Axis {
  const Screen<T>& s;
  int b, axis;

  int64_t vertex(int half_edge, int step) const { return s.faces[3 * static_cast<size_t>(half_edge / 3) + (half_edge % 3 + step) % 3]; }
  double along(int64_t v) const { return s.view(b)[3 * v + axis]; }
  double across(int64_t v) const { return s.view(b)[3 * v + 1 - axis]; }

  // The ends of an edge that crosses the level, the one below it first.
  bool cut(int half_edge, double level, int64_t& below, int64_t& above) const {
    below = vertex(half_edge, 0), above = vertex(half_edge, 1);
    const bool first = across(below) >= level, second = across(above) >= level;
    if (first) std::swap(below, above);
    return first != second;
  }
  EdgeCrossing crossing(int64_t below, int64_t above, double level) const {
    return edge_crossing(along(below), across(below), along(above), across(above), level);
  }
  // Twice the area of the triangle; positive where `tip` lies at larger `along` than the edge.
  double side(int64_t below, int64_t above, int64_t tip) const {
    return (along(tip) - along(below)) * (across(above) - across(below)) - (across(tip) - across(below)) * (along(above) - along(below));
  }
  // An edge counts in the one direction that crosses it more steeply: in both it would count twice.
  bool counts(int64_t p, int64_t q) const {
    const double da = std::abs(along(q) - along(p)), dc = std::abs(across(q) - across(p));
    return axis == 0 ? dc >= da : dc > da;
  }
};

// The half-edge at which the surface that the pixel at (along, across) shows on `face` ends before the next centre in direction
// `sign`: the first edge on the way with no face beyond it. -1 if the surface goes on as far as that centre.
template <class T>
int surface_end(const Axis<T>& v, const HalfEdges& edges, int64_t face, int along, int across, int sign) {
  const double level = across + 0.5, origin = along + 0.5;
  int edge = -1;
  int64_t below = 0, above = 0;
  double at = 0;
  for (int k = 0; k < 3; ++k) {
    int64_t p, q;
    if (!v.cut(static_cast<int>(3 * face + k), level, p, q)) continue;
    const double here = sign * (v.crossing(p, q, level).along - origin);
    if (edge < 0 || here > at) edge = static_cast<int>(3 * face + k), below = p, above = q, at = here;
  }
  if (edge < 0) return -1;
  for (int step = 0; step < kMaxSteps && at < 1; ++step) {
    int beyond = -1;
    int64_t tip = 0;
    for (int h = edges.next[edge]; h != edge; h = edges.next[h]) {
      const int64_t t = v.vertex(h, 2);
      if ((beyond >= 0 && beyond < h) || !v.s.in_front(v.b, h / 3) || sign * v.side(below, above, t) < 0) continue;
      beyond = h, tip = t;
    }
    if (beyond < 0) return edge;
    const int64_t kept = v.across(tip) >= level ? below : above;
    (kept == below ? above : below) = tip;
    const int after = beyond / 3 * 3 + (beyond % 3 + 1) % 3;
    edge = v.vertex(beyond, 1) == kept ? after : beyond / 3 * 3 + (beyond % 3 + 2) % 3;
    at = sign * (v.crossing(below, above, level).along - origin);
  }
  return -1;
}

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
    // What is nearer hides the other: if its surface ends on the way, that is where the border is.
    const bool swap = face_id_[here] < 0 || (face_id_[there] >= 0 && depth_[there] < depth_[here]);
    for (int turn = 0; turn < 2; ++turn) {
      const bool second = swap != (turn == 1);
      const int64_t face = face_id_[second ? there : here];
      if (face < 0) continue;
      const int end = surface_end(v, edges_, face, along + second, across, second ? -1 : 1);
      if (end < 0) continue;
      if (v.counts(v.vertex(end, 0), v.vertex(end, 1))) crossing = 2 * end + second;
      return;
    }
  }

  const Screen<T>& s_;
  const HalfEdges& edges_;
  int b_;
  const int64_t* face_id_;
  const T* depth_;
  int32_t* crossings_;
};

// Calls body(axis, below, above, crossing, sign, from, to, over) for every crossing of view b, pixel by pixel; from and to are pixels.
template <class T, class Body>
void for_each_crossing(const Screen<T>& s, int b, const int32_t* crossings, const Body& body) {
  for (int row = 0; row < s.height; ++row)
    for (int column = 0; column < s.width; ++column) {
      const size_t here = static_cast<size_t>(row) * s.width + column;
      for (int axis = 0; axis < 2; ++axis) {
        const int32_t code = crossings[2 * here + axis];
        if (code < 0) continue;
        const Axis<T> v{s, b, axis};
        const int second = code & 1, sign = second ? -1 : 1;
        const double level = (axis == 0 ? row : column) + 0.5, origin = (axis == 0 ? column : row) + second + 0.5;
        int64_t below, above;
        v.cut(code / 2, level, below, above);
        const EdgeCrossing c = v.crossing(below, above, level);
        const double over = sign * (c.along - origin) - 0.5;
        const size_t there = here + (axis == 0 ? 1 : s.width);
        body(axis, below, above, c, sign, second ? there : here, second ? here : there, over);
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
    for_each_crossing(s, b, codes, [&](int, int64_t, int64_t, const EdgeCrossing&, int, size_t from, size_t to, double over) {
      T* target = to_image + (over > 0 ? to : from) * channels;
      for (int c = 0; c < channels; ++c) target[c] += T(over) * (from_image[from * channels + c] - from_image[to * channels + c]);
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
    for_each_crossing(s, b, crossings + 2 * b * pixels,
                      [&](int axis, int64_t below, int64_t above, const EdgeCrossing& e, int sign, size_t from, size_t to, double over) {
                        const T* target = g + (over > 0 ? to : from) * channels;
                        double slope = 0;
                        for (int c = 0; c < channels; ++c) {
                          slope += static_cast<double>(target[c]) * (view[from * channels + c] - view[to * channels + c]);
                          gi[from * channels + c] += T(over) * target[c];
                          gi[to * channels + c] -= T(over) * target[c];
                        }
                        double end[4];
                        edge_crossing_gradient(e, sign * slope, end);
                        gv[3 * below + axis] += T(end[0]), gv[3 * below + 1 - axis] += T(end[1]);
                        gv[3 * above + axis] += T(end[2]), gv[3 * above + 1 - axis] += T(end[3]);
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
