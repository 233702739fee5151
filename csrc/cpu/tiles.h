// The image in tiles that fit a core's cache, and the rectangles in which faces meet them.
#pragma once
#include <algorithm>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/screen.h"
#include "math/triangle.h"
#include "support/parallel.h"

namespace rndr {

constexpr int kTileWidth = 128, kTileHeight = 64;
constexpr int kTileStride = kTileWidth + kLanes;  // rectangles are rounded up to whole lanes
constexpr int kFaceChunk = 1024;
constexpr int kRowsTogether = 12;   // of a large face: more mean fewer calls but wider rectangles
constexpr int kLargeBox = 1024;     // pixels
constexpr double kSlack = 1e-3;     // pixels, for the rounding of the narrowed columns

// Tiles of the image and the faces whose support meets each of them.
struct Tiling {
  Bins bins;
  int tile_x(int tile) const { return tile % bins.grid.columns * kTileWidth; }
  int tile_y(int tile) const { return tile / bins.grid.columns * kTileHeight; }
};

template <class T>
Tiling tile_faces(const Screen<T>& s, int b, double radius, int threads) {
  std::vector<Box> boxes(s.face_count);
  parallel_chunks(s.face_count, kFaceChunk, threads, [&](long begin, long end) {
    for (long f = begin; f < end; ++f) {
      Box box = face_box(s, b, static_cast<int>(f), radius);
      // A box that holds no pixel centre of the image is nobody's work.
      const PixelRange x = centres_within(box.x0, box.x1, 0, s.width - 1), y = centres_within(box.y0, box.y1, 0, s.height - 1);
      boxes[f] = box.x1 < box.x0 || x.first > x.last || y.first > y.last
                     ? Box{0, 0, -1, -1}
                     : Box{x.first + 0.5, y.first + 0.5, x.last + 0.5, y.last + 0.5};
    }
  });
  const Grid grid{0, 0, kTileWidth, kTileHeight, (s.width + kTileWidth - 1) / kTileWidth, (s.height + kTileHeight - 1) / kTileHeight};
  return {bin_boxes(grid, boxes, true)};
}

// Columns of some rows that can lie within `radius` of a triangle: on the near side of its three lines moved out by that much.
inline PixelRange narrow(const TriangleLines& lines, int tile_x, int first_row, int rows, double radius, PixelRange columns) {
  if (lines.degenerate) return columns;
  double low = columns.first, high = columns.last + 1.0;
  const double top = first_row + 0.5, bottom = first_row + rows - 0.5;
  for (const EdgeLine& e : lines.edge) {
    if (std::abs(e.nx) < 1e-3) continue;  // nearly level: bounds no column
    // nx (x - ax) + ny (y - ay) >= -radius, at the row that leaves most room.
    const double rise = e.ny / e.nx, offset = e.ax - tile_x - radius / e.nx;
    const double at_top = offset - rise * (top - e.ay), at_bottom = offset - rise * (bottom - e.ay);
    if (e.nx > 0)
      low = std::max(low, std::min(at_top, at_bottom));
    else
      high = std::min(high, std::max(at_top, at_bottom));
  }
  return centres_within(low - kSlack, high + kSlack, columns.first, columns.last);
}

// Calls body(local triangle, rectangle) for the rectangles of at most kBuffer pixels in which a face meets a tile.
template <class T, class Body>
void face_rectangles(const Screen<T>& s, int b, int face, int tile_x, int tile_y, double radius, const Body& body) {
  double x[3], y[3];
  s.corners(b, face, x, y);
  const int right = std::min(kTileWidth, s.width - tile_x) - 1, bottom = std::min(kTileHeight, s.height - tile_y) - 1;
  const Box box = face_box(s, b, face, radius);
  const PixelRange columns = centres_within(box.x0 - tile_x, box.x1 - tile_x, 0, right);
  const PixelRange rows = centres_within(box.y0 - tile_y, box.y1 - tile_y, 0, bottom);
  if (columns.first > columns.last || rows.first > rows.last) return;
  const TriangleLines lines = triangle_lines(x, y);
  const LocalTriangle<T> local = localize<T>(lines, tile_x, tile_y);
  // Half of a large face's box is beside the face; for a small one the fewer calls are worth more.
  const bool large = (columns.last - columns.first + 1) * (rows.last - rows.first + 1) > kLargeBox;
  int step = 0;
  for (int row = rows.first; row <= rows.last; row += step) {
    step = std::min(large ? kRowsTogether : kTileHeight, rows.last - row + 1);
    const PixelRange span = large ? narrow(lines, tile_x, tile_y + row, step, radius, columns) : columns;
    if (span.first > span.last) continue;
    const int width = round_up(span.last - span.first + 1);
    step = std::min(step, std::max(1, kBuffer / width));
    body(local, Rect{span.first, row, width, step});
  }
}

template <class T>
void load_tile(const T* image, int width, int tile_x, int tile_y, int columns, int rows, T fill, T* tile) {
  std::fill_n(tile, kTileStride * kTileHeight, fill);
  for (int row = 0; row < rows; ++row)
    std::copy_n(image + static_cast<size_t>(tile_y + row) * width + tile_x, columns, tile + row * kTileStride);
}

template <class T>
void store_tile(const T* tile, int width, int tile_x, int tile_y, int columns, int rows, T* image) {
  for (int row = 0; row < rows; ++row)
    std::copy_n(tile + row * kTileStride, columns, image + static_cast<size_t>(tile_y + row) * width + tile_x);
}

}  // namespace rndr
