#include "cpu/outline_coverage.h"

#include <limits>

#include "cpu/kernels.h"
#include "cpu/outline_pieces.h"
#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kBandHeight = 16;
// Two edges nearer to parallel than this (sine of the angle) have no crossing that moves smoothly.
constexpr double kParallel = 1e-6;

template <class T>
struct Plan : CoveragePlan<T> {
  Plan(const T* parameters, const CoverageSettings& s) : CoveragePlan<T>(parameters, s) {
    this->radius = std::max(this->radius, this->in_pixels(this->inner));  // the inside fades, too
  }

  T to_z(T distance) const {
    return (this->params.squared ? distance * std::abs(distance) : distance) * this->params.inverse_scale;
  }
};

// What the nearest point of a piece hangs on, from the position along it.
void describe(const OutlinePiece& p, double x, double y, int32_t out[4]) {
  const double ex = p.bx - p.ax, ey = p.by - p.ay, along = (x - p.ax) * ex + (y - p.ay) * ey;
  const bool before = along <= 0, after = along >= ex * ex + ey * ey;
  out[0] = p.a, out[1] = p.b, out[2] = out[3] = -1;
  if (before && p.start_c >= 0) out[2] = p.start_c, out[3] = p.start_d;
  if (before && p.start_c < 0) out[1] = p.a;
  if (after && p.end_c >= 0) out[2] = p.end_c, out[3] = p.end_d;
  if (after && p.end_c < 0) out[0] = p.b;
}

template <class T>
void forward_view(const Screen<T>& s, int b, const Plan<T>& plan, const EdgeGroups* edges, int threads, T* value, T* distance,
                  int32_t* nearest) {
  const Outline<T> outline(s, b, edges, plan.radius, threads);
  std::vector<Box> boxes(outline.pieces.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const OutlinePiece& p = outline.pieces[i];
    boxes[i] = {std::min(p.ax, p.bx) - plan.radius, std::min(p.ay, p.by) - plan.radius, std::max(p.ax, p.bx) + plan.radius,
                std::max(p.ay, p.by) + plan.radius};
  }
  const int bands = (s.height + kBandHeight - 1) / kBandHeight;
  const Bins bins = bin_boxes({0, 0, static_cast<double>(s.width), kBandHeight, 1, bands}, boxes);
  const T inf = std::numeric_limits<T>::infinity();
  parallel_items(bands, threads, [&](int band) {
    const int top = band * kBandHeight, rows = std::min(kBandHeight, s.height - top), stride = round_up(s.width) + kLanes;
    std::vector<T> best(static_cast<size_t>(stride) * rows, inf), z(stride), v(stride);
    std::vector<int> index(best.size(), -1);
    for (int i = bins.start[band]; i < bins.start[band + 1]; ++i) {
      const OutlinePiece& p = outline.pieces[bins.item[i]];
      const Box& box = boxes[bins.item[i]];
      const PixelRange columns = centres_within(box.x0, box.x1, 0, s.width - 1);
      const PixelRange lines = centres_within(box.y0 - top, box.y1 - top, 0, rows - 1);
      if (columns.first > columns.last || lines.first > lines.last) continue;
      const double ex = p.bx - p.ax, ey = p.by - p.ay, length = std::sqrt(ex * ex + ey * ey);
      const double tx = length > 0 ? ex / length : 1, ty = length > 0 ? ey / length : 0;
      // Relative to the rectangle's corner, so that single precision keeps sub-pixel digits anywhere on the screen.
      const PixelSegments<T> segment{T(p.ax - columns.first), T(p.ay - top), T(tx), T(ty), T(length)};
      const Rect rect{0, lines.first, round_up(columns.last - columns.first + 1), lines.last - lines.first + 1};
      plan.geometry.nearest_segment(segment, bins.item[i], rect, stride, best.data() + columns.first, index.data() + columns.first);
    }
    for (int row = 0; row < rows; ++row) {
      const size_t at = (static_cast<size_t>(b) * s.height + top + row) * s.width;
      const unsigned char* inside = outline.mask.data() + static_cast<size_t>(top + row) * s.width;
      const T* d2 = best.data() + static_cast<size_t>(row) * stride;
      const int* piece = index.data() + static_cast<size_t>(row) * stride;
      for (int x = 0; x < s.width; ++x) {
        const T d = std::sqrt(d2[x]);
        distance[at + x] = inside[x] ? d : -d;
        z[x] = piece[x] < 0 ? T(0) : plan.to_z(distance[at + x]);
      }
      plan.distribution.cdf(round_up(s.width), z.data(), plan.params, v.data());
      for (int x = 0; x < s.width; ++x) {
        int32_t* hangs_on = nearest + 4 * (at + x);
        const bool far = piece[x] < 0 || !(z[x] >= plan.params.lowest) || z[x] > plan.inner;
        value[at + x] = far ? T(inside[x]) : v[x];
        if (far) {
          hangs_on[0] = hangs_on[1] = hangs_on[2] = hangs_on[3] = -1;
        } else {
          describe(outline.pieces[piece[x]], x + 0.5, top + row + 0.5, hangs_on);
        }
      }
    }
  });
}

struct Point {
  double x, y;
};

// Adds weight * d (signed distance) / d vertices for a pixel at (px, py). `sign` is +1 inside.
template <class T>
void add_gradient(const T* vertices, const int32_t* on, double px, double py, double sign, double weight, T* out) {
  const auto at = [&](int v) { return Point{static_cast<double>(vertices[3 * v]), static_cast<double>(vertices[3 * v + 1])}; };
  const auto add = [&](int v, double x, double y) { out[3 * v] += T(weight * x), out[3 * v + 1] += T(weight * y); };
  const Point a = at(on[0]), b = at(on[1]);
  const double ex = b.x - a.x, ey = b.y - a.y, length = std::sqrt(ex * ex + ey * ey);
  if (on[2] < 0 && on[0] != on[1]) {  // an edge: the signed distance is n . (p - a), n the unit normal towards the inside
    const double nx = -ey / length, ny = ex / length;
    const double t = ((px - a.x) * ex + (py - a.y) * ey) / (length * length);
    add(on[0], -(1 - t) * nx, -(1 - t) * ny);
    add(on[1], -t * nx, -t * ny);
    return;
  }
  Point c = a;
  double t = 0, u = 0, nx = 0, ny = 0, mx = 0, my = 0, sine = 0;
  Point q{0, 0}, r{0, 0};
  if (on[2] >= 0) {  // the crossing of two edges, c = a + t (b - a) = q + u (r - q)
    q = at(on[2]), r = at(on[3]);
    const double gx = r.x - q.x, gy = r.y - q.y, other = std::sqrt(gx * gx + gy * gy);
    const double cross = ex * gy - ey * gx;
    sine = cross / (length * other);
    t = ((q.x - a.x) * gy - (q.y - a.y) * gx) / cross;
    u = ((q.x - a.x) * ey - (q.y - a.y) * ex) / cross;
    c = {a.x + t * ex, a.y + t * ey};
    nx = -ey / length, ny = ex / length, mx = -gy / other, my = gx / other;
  }
  const double wx = px - c.x, wy = py - c.y, d = std::sqrt(wx * wx + wy * wy);
  if (d == 0) return;  // on the corner itself the distance has no derivative
  const double hx = -sign * wx / d, hy = -sign * wy / d;  // d (signed distance) / d c
  if (on[2] < 0) {
    add(on[0], hx, hy);
    return;
  }
  if (std::abs(sine) < kParallel) {  // taken as a point of the first edge
    add(on[0], (1 - t) * hx, (1 - t) * hy);
    add(on[1], t * hx, t * hy);
    return;
  }
  // Moving edge 1 by alpha along its normal n and edge 2 by beta along m moves c by the x with n.x = alpha, m.x = beta.
  const double det = nx * my - ny * mx;
  const double alpha = (hx * my - hy * mx) / det, beta = (hy * nx - hx * ny) / det;
  add(on[0], alpha * (1 - t) * nx, alpha * (1 - t) * ny);
  add(on[1], alpha * t * nx, alpha * t * ny);
  add(on[2], beta * (1 - u) * mx, beta * (1 - u) * my);
  add(on[3], beta * u * mx, beta * u * my);
}

}  // namespace

template <class T>
void outline_coverage_forward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, T* value, T* distance,
                              int32_t* nearest) {
  check_screen(s);
  const Plan<T> plan(parameters, settings);
  // Shared by the views; a single view forms them beside its other parts.
  EdgeGroups shared;
  if (s.batch > 1) shared = group_edges(s.faces, s.face_count, s.vertex_count);
  const EdgeGroups* edges = s.batch > 1 ? &shared : nullptr;
  const ThreadSplit threads(s.batch, settings.threads);
  parallel_items(s.batch, threads.views,
                 [&](int b) { forward_view(s, b, plan, edges, threads.inside, value, distance, nearest); });
}

template <class T>
void outline_coverage_backward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, const T* distance,
                               const int32_t* nearest, const T* grad, T* grad_vertices, T* grad_parameters) {
  const Plan<T> plan(parameters, settings);
  std::fill_n(grad_vertices, static_cast<size_t>(s.batch) * s.vertex_count * 3, T(0));
  const int pixels = s.height * s.width;
  parallel_items(s.batch, settings.threads, [&](int b) {
    const size_t offset = static_cast<size_t>(b) * pixels;
    T* out = grad_vertices + static_cast<size_t>(b) * s.vertex_count * 3;
    double sum[4] = {0, 0, 0, 0};
    int pixel[kBuffer], count = 0;
    T z[kBuffer] = {}, f[kBuffer], df[kBuffer];
    const auto flush = [&] {
      for (int i = count; i < round_up(count); ++i) z[i] = T(0);
      plan.distribution.pdf(round_up(count), z, plan.params, f);
      if (plan.distribution.has_shape) plan.distribution.dcdf_dshape(round_up(count), z, plan.params, df);
      for (int i = 0; i < count; ++i) {
        const size_t at = offset + pixel[i];
        const double g = grad[at], weight = g * f[i], d = distance[at];
        sum[0] -= f[i] == T(0) ? 0.0 : weight * z[i] * plan.params.inverse_scale;
        sum[2] += weight * plan.distribution.shift_sign;
        if (plan.distribution.has_shape) sum[1] += g * df[i];
        const double dz = plan.params.squared ? 2 * std::abs(d) * plan.params.inverse_scale : plan.params.inverse_scale;
        if (weight != 0)
          add_gradient(s.view(b), nearest + 4 * at, pixel[i] % s.width + 0.5, pixel[i] / s.width + 0.5, d < 0 ? -1.0 : 1.0,
                       weight * dz, out);
      }
      count = 0;
    };
    for (int i = 0; i < pixels; ++i) {
      if (nearest[4 * (offset + i)] < 0 || grad[offset + i] == T(0)) continue;
      pixel[count] = i;
      z[count++] = plan.to_z(distance[offset + i]);
      if (count == kBuffer) flush();
    }
    flush();
    for (int k = 0; k < 4; ++k) grad_parameters[4 * b + k] = static_cast<T>(sum[k]);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                  \
  template void outline_coverage_forward<T>(const Screen<T>&, const T*, const CoverageSettings&, T*, T*, int32_t*);          \
  template void outline_coverage_backward<T>(const Screen<T>&, const T*, const CoverageSettings&, const T*, const int32_t*, const T*, T*, \
                                             T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
