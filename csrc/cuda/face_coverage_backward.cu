#include "cuda/block_sum.h"
#include "cuda/face_coverage_kernels.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kStage = 64;  // faces in shared memory at a time

// A sum over pixels of one face.
template <class T>
struct PairSums {
  T vertex[6];  // x0 y0 x1 y1 x2 y2
  T scale, shape, shift, p;
};

// Adds dL/d(everything) by way of one pixel's coverage by one face.
template <class D, class C, class T>
__device__ void add_pair(const D& distribution, const C& conorm, const LocalTriangle<T>& t, T x, T y, const CoverageParams<T>& c, T state, T ties,
                         T grad, PairSums<T>& sums) {
  const PairCoverage<T> pair = coverage_of(t, x, y, c, distribution, conorm);
  if (!pair.seen) return;
  const T z = pair.z;
  const DistributionParams<T> d = distribution_params(c);
  const T f = distribution.pdf(z, d);
  const T slope = conorm.slope(pair.v, pair.level, state, ties, c.p);
  if (conorm.has_p()) sums.p += grad * conorm.dgenerator_dp(pair.v, pair.level, state, c.p);
  if (distribution.has_shape) {
    const T df = distribution.dcdf_dshape(z, d);
    if (df != T(0)) sums.shape += grad * slope * df;
  }
  const T weight = f != T(0) ? grad * slope * f : T(0);  // where f is 0, the slope may be anything
  if (weight == T(0)) return;
  const Nearest<T> n = nearest_boundary_point(t, x, y);
  const T dz = standardise_slope(sqrt_(n.distance2), c.squared, c.inverse_scale);
  const T wx = weight * dz * n.hx, wy = weight * dz * n.hy, lambda2 = T(1) - n.lambda0 - n.lambda1;
  sums.vertex[0] += wx * n.lambda0, sums.vertex[1] += wy * n.lambda0;
  sums.vertex[2] += wx * n.lambda1, sums.vertex[3] += wy * n.lambda1;
  sums.vertex[4] += wx * lambda2, sums.vertex[5] += wy * lambda2;
  sums.scale -= weight * z * c.inverse_scale;  // z is proportional to 1 / scale
  sums.shift += weight * T(distribution.shift_sign);
}

// One block a tile: each of its faces is shared out among some threads, which loop over pixels and keep their sums in registers; what
// comes of a face and a tile meets that of other tiles in one atomic a coordinate.
// Where sums are ordered, there is a block for each face, too, which goes over all tiles of the face instead.
template <class D, class C, class T>
__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(D distribution, C conorm, ImageTiles tiles, Screen<T> s, const CoveragePlan<T>* plan, Bins bins, const T* state, const T* ties,
                    const T* grad, Scatter<T> grad_vertices, double* parameter_parts) {
  __shared__ LocalTriangle<T> staged[kStage];
  __shared__ Extent pixels_of[kStage];  // empty for a face that does not meet the tile
  __shared__ T tile_state[kTileThreads], tile_ties[kTileThreads], tile_grad[kTileThreads];
  __shared__ T corner_sums[kTileThreads][6];
  const bool ordered = grad_vertices.ordered();
  const int me = static_cast<int>(threadIdx.x), per_view = tiles.per_view(), parts = per_view + (ordered ? s.face_count : 0);
  const int view = blockIdx.x / parts, part = blockIdx.x % parts, only = part - per_view;
  const bool by_face = only >= 0;
  const CoverageParams<T> c = plan->params;
  const double radius = plan->radius;

  CellRange range{part % tiles.columns(), part % tiles.columns(), part / tiles.columns(), part / tiles.columns()};
  CellItems faces{nullptr, 0};
  if (by_face) {
    Extent e;
    range = extent_of(s, view, only, radius, e) ? tiles_of(e) : CellRange{0, -1, 0, -1};
    faces.count = 1;
  } else if (!ordered) {
    faces = items_of(bins, static_cast<long long>(view) * per_view + part, s.face_count);
  }

  PairSums<T> sums{};
  double own[4] = {0, 0, 0, 0};  // of the parameters
  for (int row = range.r0; row <= range.r1; ++row)
    for (int column = range.c0; column <= range.c1; ++column) {
      const int tile_x = column * kTile, tile_y = row * kTile, x = tile_x + me % kTile, y = tile_y + me / kTile;
      const size_t pixel = (static_cast<size_t>(view) * s.height + y) * s.width + x;
      const bool in_image = x < s.width && y < s.height;
      tile_grad[me] = in_image ? grad[pixel] : T(0);
      tile_state[me] = in_image ? state[pixel] : conorm.template identity<T>();
      tile_ties[me] = in_image && ties ? ties[pixel] : T(1);
      if (conorm.has_p() && !by_face && tile_grad[me] != T(0)) own[3] += tile_grad[me] * conorm.dvalue_dp(tile_state[me], c.p);
      if (!__syncthreads_or(tile_grad[me] != T(0))) continue;
      for (int first = 0; first < faces.count; first += kStage) {
        const int count = min_(kStage, faces.count - first);
        if (me < count) {
          const int face = by_face ? only : faces.at(first + me);
          Extent e;
          pixels_of[me] = extent_of(s, view, face, radius, e) ? within_tile(e, tile_x, tile_y) : Extent{{0, -1}, {0, -1}};
          if (!pixels_of[me].empty()) localize_face(s, view, face, tile_x, tile_y, staged[me]);
        }
        __syncthreads();
        const int shares = kTileThreads / count, slot = me % count, share = me / count;
        const Extent e = pixels_of[slot];
        if (share < shares && !e.empty()) {
          const int width = e.x.last - e.x.first + 1, all = width * (e.y.last - e.y.first + 1);
          for (int i = share; i < all; i += shares) {
            const int px = e.x.first + i % width, py = e.y.first + i / width, at = py * kTile + px;
            if (tile_grad[at] != T(0))
              add_pair(distribution, conorm, staged[slot], T(px) + T(0.5), T(py) + T(0.5), c, tile_state[at], tile_ties[at], tile_grad[at], sums);
          }
        }
        // Small numbers among themselves first, as in the forward kernel.
        own[0] += sums.scale, own[1] += sums.shape, own[2] += sums.shift, own[3] += sums.p;
        sums.scale = sums.shape = sums.shift = sums.p = T(0);
        if (!by_face) {
          for (int k = 0; k < 6; ++k) {
            corner_sums[me][k] = sums.vertex[k];
            sums.vertex[k] = T(0);
          }
          __syncthreads();
          if (me < count && !pixels_of[me].empty()) {
            const int face = faces.at(first + me);
            for (int k = 0; k < 6; ++k) {
              T total = T(0);
              for (int i = 0; i < shares; ++i) total += corner_sums[me + i * count][k];
              const int64_t vertex = s.faces[3 * static_cast<size_t>(face) + k / 2];
              grad_vertices.add(static_cast<int64_t>(view) * s.vertex_count + vertex, k % 2, total);
            }
          }
        }
        __syncthreads();
      }
    }

  __shared__ double totals[kTileThreads];
  for (int k = 0; k < 4; ++k) {
    const double total = block_sum<kTileThreads>(own[k], totals);
    if (me == 0) parameter_parts[4 * static_cast<size_t>(blockIdx.x) + k] = total;
  }
  if (!by_face) return;
  for (int k = 0; k < 6; ++k) {
    const double total = block_sum<kTileThreads>(static_cast<double>(sums.vertex[k]), totals);
    if (me != 0 || !valid_face(s, only)) continue;
    const int64_t vertex = s.faces[3 * static_cast<size_t>(only) + k / 2];
    grad_vertices.put(3 * (static_cast<size_t>(view) * s.face_count + only) + k / 2, static_cast<int64_t>(view) * s.vertex_count + vertex,
                      k % 2, T(total));
  }
}

}  // namespace

template <class T>
void face_coverage_backward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                            const Bins& bins, const T* state, const T* ties, const T* grad, const Scatter<T>& grad_vertices,
                            double* parameter_parts, Status status, cudaStream_t stream) {
  with_face_plan(s, parameters, settings, plan, bins, status, stream, [&](auto d, auto conorm) {
    const ImageTiles tiles = tiles_of(s);
    const unsigned parts = tiles.per_view() + (grad_vertices.ordered() ? s.face_count : 0);
    launch(backward_kernel<decltype(d), decltype(conorm), T>, {s.batch * parts, kTileThreads, 0, stream}, d, conorm, tiles, s, plan, bins, state,
           ties, grad, grad_vertices, parameter_parts);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                           \
  template void face_coverage_backward<T>(const Screen<T>&, const T*, const CoverageSettings&, CoveragePlan<T>*, const Bins&, const T*, \
                                          const T*, const T*, const Scatter<T>&, double*, Status, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
