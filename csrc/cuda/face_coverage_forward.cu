#include "cuda/face_coverage_kernels.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kStage = 128;  // faces in shared memory at a time

template <class D, class C, class T>
__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(D distribution, C conorm, ImageTiles tiles, Screen<T> s, const CoveragePlan<T>* plan, Bins bins, T* state, T* ties, T* value) {
  __shared__ LocalTriangle<T> staged[kStage];
  __shared__ bool present[kStage];
  const TilePixel pixel(tiles);
  const CoverageParams<T> c = plan->params;
  const double radius = plan->radius;
  const CellItems faces = items_of(bins, blockIdx.x, s.face_count);
  const T x = T(pixel.x - pixel.tile_x) + T(0.5), y = T(pixel.y - pixel.tile_y) + T(0.5);
  const int me = static_cast<int>(threadIdx.x);
  Accumulated<T> sum{conorm.template identity<T>(), T(0)};
  for (int first = 0; first < faces.count; first += kStage) {
    const int count = min_(kStage, faces.count - first);
    if (me < count) {
      const int face = faces.at(first + me);
      Extent e;
      present[me] = extent_of(s, pixel.view, face, radius, e) && tiles_of(e).contains(pixel.tile_x / kTile, pixel.tile_y / kTile);
      if (present[me]) localize_face(s, pixel.view, face, pixel.tile_x, pixel.tile_y, staged[me]);
    }
    __syncthreads();
    // Added up by themselves, so that in a crowded tile no small number meets the sum of 1e5 others.
    Accumulated<T> more{conorm.template identity<T>(), T(0)};
    for (int i = 0; i < count; ++i) {
      if (!present[i]) continue;
      const PairCoverage<T> pair = coverage_of(staged[i], x, y, c, distribution, conorm);
      if (pair.seen) more = conorm.add(pair.v, pair.level, c.p, more);
    }
    sum = conorm.merge(more, sum);
    // The rest of the faces changes nothing in a tile that is saturated everywhere.
    if (__syncthreads_and(!pixel.in_image || conorm.saturated(sum.state))) break;
  }
  if (!pixel.in_image) return;
  state[pixel.index] = sum.state;
  value[pixel.index] = conorm.value(sum.state, c.p);
  if (ties) ties[pixel.index] = sum.ties;
}

}  // namespace

template <class T>
void face_coverage_forward(const Screen<T>& s, const T* parameters, const CoverageSettings& settings, CoveragePlan<T>* plan,
                           const Bins& bins, T* state, T* ties, T* value, Status status, cudaStream_t stream) {
  check_screen(s, status, stream);
  with_face_plan(s, parameters, settings, plan, bins, status, stream, [&](auto d, auto conorm) {
    const ImageTiles tiles = tiles_of(s);
    launch(forward_kernel<decltype(d), decltype(conorm), T>, tiles.launch(stream), d, conorm, tiles, s, plan, bins, state, ties, value);
  });
}

#define RNDR_INSTANTIATE(T)                                                                                                            \
  template void face_coverage_forward<T>(const Screen<T>&, const T*, const CoverageSettings&, CoveragePlan<T>*, const Bins&, T*, T*, T*, \
                                         Status, cudaStream_t);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

RNDR_NAMESPACE_END
