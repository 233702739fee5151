// The image in square tiles of one block each, one thread a pixel.
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

constexpr int kTile = 16;
constexpr int kTileThreads = kTile * kTile;

struct ImageTiles {
  int batch, height, width;

  RNDR_HD int columns() const { return (width + kTile - 1) / kTile; }
  RNDR_HD int rows() const { return (height + kTile - 1) / kTile; }
  RNDR_HD int per_view() const { return columns() * rows(); }
  unsigned blocks() const { return static_cast<unsigned>(batch) * per_view(); }
  Launch launch(cudaStream_t stream) const { return {blocks(), kTileThreads, 0, stream}; }
};

// The tile of this block, and the pixel of this thread.
struct TilePixel {
  int view, tile, tile_x, tile_y, x, y;
  bool in_image;
  size_t index;  // of the pixel in (B, H, W), if it is in the image

  __device__ explicit TilePixel(const ImageTiles& t) {
    view = blockIdx.x / t.per_view();
    tile = blockIdx.x % t.per_view();
    tile_x = tile % t.columns() * kTile;
    tile_y = tile / t.columns() * kTile;
    x = tile_x + threadIdx.x % kTile;
    y = tile_y + threadIdx.x / kTile;
    in_image = x < t.width && y < t.height;
    index = (static_cast<size_t>(view) * t.height + y) * t.width + x;
  }
};

RNDR_NAMESPACE_END
