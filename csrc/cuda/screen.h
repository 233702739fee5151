// Screen-space triangles on the device: checked once, and loaded so that a bad index is an absent face.
#pragma once
#include "cuda/bins.h"
#include "cuda/image_tiles.h"
#include "cuda/status.h"
#include "raster/screen.h"

RNDR_NAMESPACE_BEGIN

// Reports a face that refers to a vertex that is not there, and a vertex that is not finite.
template <class T>
void check_screen(const Screen<T>& screen, Status status, cudaStream_t stream);  // cuda/screen.cu

template <class T>
__device__ bool valid_face(const Screen<T>& s, int face) {
  for (int k = 0; k < 3; ++k) {
    const int64_t v = s.faces[3 * static_cast<size_t>(face) + k];
    if (v < 0 || v >= s.vertex_count) return false;
  }
  return true;
}

// Pixels of the image whose centres lie in a face's box grown by `radius`; false if there are none.
template <class T>
__device__ bool extent_of(const Screen<T>& s, int view, int face, double radius, Extent& extent) {
  if (!valid_face(s, face) || !s.in_front(view, face)) return false;
  double x[3], y[3];
  s.corners(view, face, x, y);
  extent = centres_of(x, y, radius, 0, 0, s.width - 1, s.height - 1);
  return !extent.empty();
}

RNDR_HD CellRange tiles_of(const Extent& e) { return {e.x.first / kTile, e.x.last / kTile, e.y.first / kTile, e.y.last / kTile}; }

// The part of an extent in a tile, relative to the tile.
RNDR_HD Extent within_tile(const Extent& e, int tile_x, int tile_y) {
  return {{max_(e.x.first - tile_x, 0), min_(e.x.last - tile_x, kTile - 1)}, {max_(e.y.first - tile_y, 0), min_(e.y.last - tile_y, kTile - 1)}};
}

template <class T>
ImageTiles tiles_of(const Screen<T>& s) { return {s.batch, s.height, s.width}; }

RNDR_NAMESPACE_END
