#include "cuda/rasterize.h"

#include "raster/visibility.h"

RNDR_NAMESPACE_BEGIN
namespace {

constexpr int kStage = 128;  // faces in shared memory at a time

template <class T>
struct DrawnTiles {
  Screen<T> screen;
  bool cull_back_faces;

  __device__ double area(int view, int face, double x[3], double y[3], double z[3]) const {
    return valid_face(screen, face) ? drawn_area2(screen, view, face, cull_back_faces, x, y, z) : 0;
  }
  __device__ bool range(int view, int face, CellRange& r) const {
    double x[3], y[3], z[3];
    if (area(view, face, x, y, z) == 0) return false;
    const Extent e = centres_of(x, y, 0, 0, 0, screen.width - 1, screen.height - 1);
    r = tiles_of(e);
    return !e.empty();
  }
};

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    rasterize_kernel(ImageTiles tiles, DrawnTiles<T> drawn, bool perspective, Bins bins, const T* behind, int64_t* face_id, T* depth) {
  __shared__ FacePlanes staged[kStage];
  __shared__ int face_of[kStage];  // -1 for a face that does not meet the tile
  const TilePixel pixel(tiles);
  const CellItems faces = items_of(bins, blockIdx.x, drawn.screen.face_count);
  const double x = pixel.x - pixel.tile_x + 0.5, y = pixel.y - pixel.tile_y + 0.5;
  const int me = static_cast<int>(threadIdx.x);
  const T layer = behind && pixel.in_image ? behind[pixel.index] : T(0);
  const T before = layer > T(0) ? layer : infinity_<T>();  // no face lies behind the background
  double nearest = -infinity_<double>();
  int id = -1;
  for (int first = 0; first < faces.count; first += kStage) {
    const int count = min_(kStage, faces.count - first);
    if (me < count) {
      const int face = faces.at(first + me);
      double cx[3], cy[3], cz[3];
      const double area = drawn.area(pixel.view, face, cx, cy, cz);
      face_of[me] = -1;
      if (area != 0 && tiles_of(centres_of(cx, cy, 0, 0, 0, tiles.width - 1, tiles.height - 1)).contains(pixel.tile_x / kTile, pixel.tile_y / kTile)) {
        face_of[me] = face;
        staged[me] = face_planes(cx, cy, cz, area, pixel.tile_x, pixel.tile_y, perspective);
      }
    }
    __syncthreads();
    for (int i = 0; i < count; ++i) {
      if (face_of[i] < 0) continue;
      const PlanePoint at = point_of(staged[i], x, y);
      if (!at.inside || (behind && !(T(depth_of_nearness(at.nearness, perspective)) > before))) continue;
      // Faces come in any order; of those at equal depth the first one counts.
      const bool nearer = at.nearness > nearest || (at.nearness == nearest && face_of[i] < id);
      nearest = nearer ? at.nearness : nearest;
      id = nearer ? face_of[i] : id;
    }
    __syncthreads();
  }
  if (!pixel.in_image) return;
  face_id[pixel.index] = id;
  depth[pixel.index] = id >= 0 ? T(depth_of_nearness(nearest, perspective)) : T(0);
}

}  // namespace

template <class T>
void rasterize(const Screen<T>& s, bool perspective, bool cull_back_faces, const Bins& bins, const T* behind, int64_t* face_id, T* depth,
               Status status, cudaStream_t stream) {
  check_screen(s, status, stream);
  const ImageTiles tiles = tiles_of(s);
  const DrawnTiles<T> drawn{s, cull_back_faces};
  bin_items(drawn, s.batch, s.face_count, tiles.columns(), tiles.rows(), bins, stream);
  launch(rasterize_kernel<T>, tiles.launch(stream), tiles, drawn, perspective, bins, behind, face_id, depth);
}

template void rasterize<float>(const Screen<float>&, bool, bool, const Bins&, const float*, int64_t*, float*, Status, cudaStream_t);
template void rasterize<double>(const Screen<double>&, bool, bool, const Bins&, const double*, int64_t*, double*, Status, cudaStream_t);

RNDR_NAMESPACE_END
