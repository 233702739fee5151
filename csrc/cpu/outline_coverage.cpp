#include "cpu/outline_coverage.h"

#include <limits>

#include "cpu/kernels.h"
#include "cpu/outline_pieces.h"
#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kBandHeight = 16;
template <class T>
struct Plan : CoveragePlan<T> {
  Plan(const T* parameters, const CoverageSettings& s) : CoveragePlan<T>(parameters, s) {
    this->radius = std::max(this->radius, this->in_pixels(this->inner));  // the inside fades, too
  }

  T to_z(T distance) const {
    return standardise_signed(distance, this->params.squared, this->params.inverse_scale);
  }
};

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
          describe_nearest(outline.pieces[piece[x]], x + 0.5, top + row + 0.5, hangs_on);
        }
      }
    }
  });
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
        const double dz = standardise_slope<double>(std::abs(d), plan.params.squared, plan.params.inverse_scale);
        if (weight == 0) continue;
        const OutlineGradient slope =
            outline_gradient(s.view(b), nearest + 4 * at, pixel[i] % s.width + 0.5, pixel[i] / s.width + 0.5, d < 0 ? -1.0 : 1.0);
        for (int k = 0; k < slope.count; ++k) {
          out[3 * slope.vertex[k]] += T(weight * dz * slope.x[k]);
          out[3 * slope.vertex[k] + 1] += T(weight * dz * slope.y[k]);
        }
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
