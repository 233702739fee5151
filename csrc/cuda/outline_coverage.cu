#include "cuda/block_sum.h"
#include "cuda/distribution.h"
#include "cuda/outline_pieces.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kFaceStage = 128, kPieceStage = 64;  // in shared memory at a time
constexpr int kDomainThreads = 128;

// The image grown by the reach, but no larger than the faces themselves.
template <class T>
__global__ void domain_kernel(Screen<T> s, const CoveragePlan<T>* plan, Rectangle* domain) {
  __shared__ Rectangle boxes[kDomainThreads];
  const double inf = infinity_<double>();
  const int view = blockIdx.x, me = static_cast<int>(threadIdx.x);
  Rectangle own{inf, inf, -inf, -inf};
  for (int i = me; i < s.vertex_count; i += kDomainThreads) {
    const T* v = s.view(view) + 3 * static_cast<size_t>(i);
    if (!(v[2] > 0)) continue;
    own = {min_<double>(own.x0, v[0]), min_<double>(own.y0, v[1]), max_<double>(own.x1, v[0]), max_<double>(own.y1, v[1])};
  }
  boxes[me] = own;
  for (int half = kDomainThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (me >= half) continue;
    const Rectangle a = boxes[me], b = boxes[me + half];
    boxes[me] = {min_(a.x0, b.x0), min_(a.y0, b.y0), max_(a.x1, b.x1), max_(a.y1, b.y1)};
  }
  if (me != 0) return;
  const Rectangle faces = boxes[0];
  const double margin = plan->reach + 1;
  const Rectangle d{max_(faces.x0 - 1, -margin), max_(faces.y0 - 1, -margin), min_(faces.x1 + 1, s.width + margin), min_(faces.y1 + 1, s.height + margin)};
  domain[view] = d.x1 > d.x0 && d.y1 > d.y0 ? d : Rectangle{0, 0, 1, 1};  // nothing in sight
}

// One thread a place in the order of half-edges; the first of each edge speaks for it.
template <class T>
__global__ void candidate_kernel(OutlineScene<T> scene, SortedEdges edges) {
  const Screen<T>& s = scene.screen;
  const int count = 3 * s.face_count;
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= static_cast<long long>(s.batch) * count) return;
  const int view = static_cast<int>(i / count), place = static_cast<int>(i % count);
  OutlineCandidateSlot& slot = scene.buffers.candidates[i];
  slot.kind = CandidateKind::kNone;
  const int64_t key = edges.key[place];
  if (key < 0 || (place > 0 && edges.key[place - 1] == key)) return;
  int64_t from = -1, to = -1;
  for (int k = place; k < count && edges.key[k] == key; ++k) {
    const int h = static_cast<int>(edges.order[k]);
    double x[3], y[3];
    const double area = scene.drawn(view, h / 3, x, y);
    if (area == 0) continue;  // covers nothing
    const int64_t p = s.faces[h], q = s.faces[h % 3 == 2 ? h - 2 : h + 1];
    const int64_t a = area < 0 ? q : p, b = area < 0 ? p : q;  // now the face lies to the left of a -> b
    if (from < 0) from = a, to = b;
    if (from != a) return;  // faces on both sides
  }
  if (from < 0) return;
  const T *a = s.view(view) + 3 * from, *b = s.view(view) + 3 * to;
  const OutlineCandidate e{a[0], a[1], b[0], b[1], static_cast<int>(from), static_cast<int>(to)};
  const Rectangle d = scene.buffers.domain[view];
  if (max_(e.ax, e.bx) < d.x0 || min_(e.ax, e.bx) > d.x1 || max_(e.ay, e.by) < d.y0 || min_(e.ay, e.by) > d.y1) return;
  slot.edge = e;
  slot.kind = CandidateKind::kCut;
}

// Most candidates are not cut at all: those are visible or hidden as a whole.
template <class T>
__global__ void classify_kernel(OutlineScene<T> scene, OutlineBuffers out) {
  const int count = 3 * scene.screen.face_count;
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= static_cast<long long>(scene.screen.batch) * count) return;
  if (out.candidates[i].kind == CandidateKind::kNone) return;
  const int view = static_cast<int>(i / count);
  const OutlineCandidate e = out.candidates[i].edge;
  PieceWalk<T> walk(scene, view, static_cast<int>(i % count));
  OutlinePiece piece;
  if ((e.ax == e.bx && e.ay == e.by) || walk.done())
    out.candidates[i].kind = CandidateKind::kHidden;
  else if (walk.uncut())
    out.candidates[i].kind = walk.next(piece) ? CandidateKind::kWhole : CandidateKind::kHidden;
}

template <class T>
struct FaceCells {
  OutlineScene<T> scene;
  __device__ bool range(int view, int face, CellRange& r) const {
    double x[3], y[3];
    if (scene.drawn(view, face, x, y) == 0) return false;
    return scene.cells(view, {least(x), least(y), greatest(x), greatest(y)}, r);
  }
};

template <class T>
struct CandidateCells {
  OutlineScene<T> scene;
  __device__ bool range(int view, int i, CellRange& r) const {
    const OutlineCandidateSlot& c = scene.slot(view, i);
    if (c.kind == CandidateKind::kNone) return false;
    const OutlineCandidate& e = c.edge;
    return scene.cells(view, {min_(e.ax, e.bx), min_(e.ay, e.by), max_(e.ax, e.bx), max_(e.ay, e.by)}, r);
  }
};

template <class T>
struct FaceTiles {
  OutlineScene<T> scene;
  __device__ bool range(int view, int face, CellRange& r) const {
    Extent e;
    if (!extent_of(scene.screen, view, face, 0, e)) return false;
    r = tiles_of(e);
    return true;
  }
};

template <class T>
struct CandidateTiles {
  OutlineScene<T> scene;
  const CoveragePlan<T>* plan;
  __device__ bool range(int view, int i, CellRange& r) const {
    const OutlineCandidateSlot& c = scene.slot(view, i);
    if (c.kind == CandidateKind::kNone || c.kind == CandidateKind::kHidden) return false;
    const double x[3] = {c.edge.ax, c.edge.bx, c.edge.ax}, y[3] = {c.edge.ay, c.edge.by, c.edge.ay};
    const Extent e = centres_of(x, y, plan->reach, 0, 0, scene.screen.width - 1, scene.screen.height - 1);
    r = tiles_of(e);
    return !e.empty();
  }
};

// Whether the pixel centre lies in a face.
template <class T>
__device__ bool hard_mask(const TilePixel& pixel, const OutlineScene<T>& scene) {
  __shared__ double cx[kFaceStage][3], cy[kFaceStage][3], side[kFaceStage];
  const int me = static_cast<int>(threadIdx.x);
  const CellItems faces = items_of(scene.buffers.tile_faces, blockIdx.x, scene.screen.face_count);
  bool inside = false;
  for (int first = 0; first < faces.count; first += kFaceStage) {
    const int count = min_(kFaceStage, faces.count - first);
    if (me < count) {
      const double area = scene.drawn(pixel.view, faces.at(first + me), cx[me], cy[me]);
      side[me] = area > 0 ? 1 : area < 0 ? -1 : 0;
    }
    __syncthreads();
    for (int i = 0; i < count && !inside; ++i)
      inside = side[i] != 0 && TriangleSides(cx[i], cy[i], side[i]).contain(pixel.x + 0.5, pixel.y + 0.5);
    if (__syncthreads_and(inside || !pixel.in_image)) break;
  }
  return inside;
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(AnyDistribution distribution, ImageTiles tiles, OutlineScene<T> scene, const CoveragePlan<T>* plan, T* value, T* distance,
                   int32_t* nearest) {
  __shared__ OutlinePiece staged[kPieceStage];
  __shared__ int owner[kPieceStage];  // the candidate of the piece, -1 for none
  const TilePixel pixel(tiles);
  const bool inside = hard_mask(pixel, scene);
  const CellItems candidates = items_of(scene.buffers.tile_edges, blockIdx.x, 3 * scene.screen.face_count);
  const int me = static_cast<int>(threadIdx.x);
  const T px = T(pixel.x - pixel.tile_x) + T(0.5), py = T(pixel.y - pixel.tile_y) + T(0.5);
  T best = infinity_<T>();
  int best_owner = -1;
  OutlinePiece best_piece{};
  for (int first = 0; first < candidates.count; first += kPieceStage) {
    int index = me < kPieceStage && first + me < candidates.count ? candidates.at(first + me) : -1;
    const CandidateKind kind = index >= 0 ? scene.slot(pixel.view, index).kind : CandidateKind::kNone;
    if (kind == CandidateKind::kNone || kind == CandidateKind::kHidden) index = -1;
    PieceWalk<T> walk(scene, pixel.view, index);
    // Each thread that has a candidate gives one piece of it at a time.
    bool more = index >= 0;
    while (__syncthreads_or(more)) {
      if (me < kPieceStage) {
        OutlinePiece piece;
        if (more && kind == CandidateKind::kWhole) {
          walk.whole(piece);
          owner[me] = index;
          more = false;
        } else {
          more = more && walk.next(piece);
          owner[me] = more ? index : -1;
        }
        if (owner[me] >= 0) staged[me] = piece;
      }
      __syncthreads();
      for (int i = 0; i < kPieceStage; ++i) {
        if (owner[i] < 0) continue;
        const OutlinePiece& p = staged[i];
        const double ex = p.bx - p.ax, ey = p.by - p.ay, length = sqrt_(ex * ex + ey * ey);
        const double tx = length > 0 ? ex / length : 1, ty = length > 0 ? ey / length : 0;
        // Relative to the tile, so that single precision keeps sub-pixel digits anywhere on the screen.
        const T d2 = segment_distance2(T(p.ax - pixel.tile_x), T(p.ay - pixel.tile_y), T(tx), T(ty), T(length), px, py);
        // Candidates come in any order; of those at equal distance the first one counts.
        if (d2 < best || (d2 == best && owner[i] < best_owner)) best = d2, best_owner = owner[i], best_piece = p;
      }
      __syncthreads();
    }
  }
  if (!pixel.in_image) return;
  const CoverageParams<T> c = plan->params;
  const T d = sqrt_(best), signed_distance = inside ? d : -d;
  const T z = best_owner < 0 ? T(0) : standardise_signed(signed_distance, c.squared, c.inverse_scale);
  const bool far = best_owner < 0 || !(z >= c.lowest) || z > plan->inner;
  distance[pixel.index] = signed_distance;
  value[pixel.index] = far ? T(inside) : distribution.cdf(z, distribution_params(c));
  int32_t* on = nearest + 4 * pixel.index;
  if (far)
    on[0] = on[1] = on[2] = on[3] = -1;
  else
    describe_nearest(best_piece, pixel.x + 0.5, pixel.y + 0.5, on);
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(AnyDistribution distribution, ImageTiles tiles, Screen<T> s, const CoveragePlan<T>* plan, const T* distance,
                    const int32_t* nearest, const T* grad, Scatter<T> grad_vertices, double* parameter_parts) {
  __shared__ int64_t keys[kTileThreads];
  __shared__ T sums[kTileThreads][2];
  __shared__ double totals[kTileThreads];
  const TilePixel pixel(tiles);
  const CoverageParams<T> c = plan->params;
  const int me = static_cast<int>(threadIdx.x);
  OutlineGradient slope{};
  double weight = 0, own[4] = {0, 0, 0, 0};
  if (pixel.in_image && nearest[4 * pixel.index] >= 0 && grad[pixel.index] != T(0)) {
    const DistributionParams<T> params = distribution_params(c);
    const T d = distance[pixel.index], z = standardise_signed(d, c.squared, c.inverse_scale), f = distribution.pdf(z, params);
    const double g = grad[pixel.index];
    weight = g * f;
    own[0] = f == T(0) ? 0.0 : -weight * z * c.inverse_scale;
    if (distribution.has_shape) own[1] = g * distribution.dcdf_dshape(z, params);
    own[2] = weight * distribution.shift_sign;
    if (weight != 0) {
      weight *= standardise_slope(abs_(d), c.squared, c.inverse_scale);
      slope = outline_gradient(s.view(pixel.view), nearest + 4 * pixel.index, pixel.x + 0.5, pixel.y + 0.5, d < 0 ? -1.0 : 1.0);
    }
  }
  for (int k = 0; k < 4; ++k) {
    const bool any = k < slope.count;
    const int64_t row = any ? static_cast<int64_t>(pixel.view) * s.vertex_count + slope.vertex[k] : -1;
    const T x = any ? T(weight * slope.x[k]) : T(0), y = any ? T(weight * slope.y[k]) : T(0);
    if (grad_vertices.ordered()) {
      if (any) grad_vertices.put(4 * pixel.index + k, row, 0, x), grad_vertices.put(4 * pixel.index + k, row, 1, y);
      continue;
    }
    const int first = leader_of(row, keys);
    sums[me][0] = sums[me][1] = T(0);
    __syncthreads();
    if (any) atomicAdd(&sums[first][0], x), atomicAdd(&sums[first][1], y);
    __syncthreads();
    if (any && first == me) grad_vertices.add(row, 0, sums[me][0]), grad_vertices.add(row, 1, sums[me][1]);
  }
  for (int k = 0; k < 4; ++k) {
    const double total = block_sum<kTileThreads>(own[k], totals);
    if (me == 0) parameter_parts[4 * static_cast<size_t>(blockIdx.x) + k] = total;
  }
}

}  // namespace

template <class T>
void outline_coverage_forward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                              const SortedEdges& order, const OutlineBuffers& buffers, T* value, T* distance, int32_t* nearest,
                              Status status, cudaStream_t stream) {
  check_screen(s, status, stream);
  const ImageTiles tiles = tiles_of(s);
  const OutlineScene<T> scene{s, buffers};
  const AnyDistribution distribution = any_distribution(settings.distribution);
  const int edges = 3 * s.face_count;
  const Launch over_edges{blocks_for(static_cast<long long>(s.batch) * edges, 128), 128, 0, stream};
  form_plan(parameters, settings, plan, status, stream);
  launch(domain_kernel<T>, {static_cast<unsigned>(s.batch), kDomainThreads, 0, stream}, s, plan, buffers.domain);
  launch(candidate_kernel<T>, over_edges, scene, order);
  bin_items(FaceCells<T>{scene}, s.batch, s.face_count, buffers.columns, buffers.rows, buffers.faces, stream);
  bin_items(CandidateCells<T>{scene}, s.batch, edges, buffers.columns, buffers.rows, buffers.edges, stream);
  launch(classify_kernel<T>, over_edges, scene, buffers);
  bin_items(FaceTiles<T>{scene}, s.batch, s.face_count, tiles.columns(), tiles.rows(), buffers.tile_faces, stream);
  bin_items(CandidateTiles<T>{scene, plan}, s.batch, edges, tiles.columns(), tiles.rows(), buffers.tile_edges, stream);
  launch(forward_kernel<T>, tiles.launch(stream), distribution, tiles, scene, plan, value, distance, nearest);
}

template <class T>
void outline_coverage_backward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                               const T* distance, const int32_t* nearest, const T* grad, const Scatter<T>& grad_vertices,
                               double* parameter_parts, Status status, cudaStream_t stream) {
  const ImageTiles tiles = tiles_of(s);
  form_plan(parameters, settings, plan, status, stream);
  launch(backward_kernel<T>, tiles.launch(stream), any_distribution(settings.distribution), tiles, s, plan, distance, nearest, grad, grad_vertices,
         parameter_parts);
}

#define RNDR_INSTANTIATE(T)                                                                                                             \
  template void outline_coverage_forward<T>(const Screen<T>&, const T*, const CoverageSettings&, CoveragePlan<T>*, const SortedEdges&,   \
                                            const OutlineBuffers&, T*, T*, int32_t*, Status, cudaStream_t);                              \
  template void outline_coverage_backward<T>(const Screen<T>&, const T*, const CoverageSettings&, CoveragePlan<T>*, const T*,            \
                                             const int32_t*, const T*, const Scatter<T>&, double*, Status, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
