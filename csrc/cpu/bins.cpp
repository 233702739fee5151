#include "cpu/bins.h"

#include <algorithm>
#include <cmath>

namespace rndr {

namespace {

// floor, clamped to [0, count); by truncation, since the base level has no instruction for floor.
int clamped_cell(double position, int count) {
  if (!(position > 0)) return 0;
  return position >= count ? count - 1 : static_cast<int>(position);
}

}  // namespace

int Grid::column(double x) const { return clamped_cell((x - x0) / cell_width, columns); }

int Grid::row(double y) const { return clamped_cell((y - y0) / cell_height, rows); }

namespace {

struct CellRange {
  int c0, c1, r0, r1;
};

bool cell_range(const Grid& grid, const Box& box, CellRange& range) {
  const double right = grid.x0 + grid.columns * grid.cell_width, bottom = grid.y0 + grid.rows * grid.cell_height;
  if (!(box.x1 >= box.x0) || box.x1 < grid.x0 || box.x0 > right || box.y1 < grid.y0 || box.y0 > bottom) return false;
  range = {grid.column(box.x0), grid.column(box.x1), grid.row(box.y0), grid.row(box.y1)};
  return true;
}

}  // namespace

Bins bin_boxes(const Grid& grid, const std::vector<Box>& boxes, bool want_cells) {
  Bins bins;
  bins.grid = grid;
  bins.start.assign(grid.cells() + 1, 0);
  std::vector<CellRange> ranges(boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    CellRange& range = ranges[i];
    if (!cell_range(grid, boxes[i], range)) {
      range = {0, -1, 0, -1};
      continue;
    }
    for (int r = range.r0; r <= range.r1; ++r)
      for (int c = range.c0; c <= range.c1; ++c) ++bins.start[r * grid.columns + c + 1];
  }
  for (int c = 0; c < grid.cells(); ++c) bins.start[c + 1] += bins.start[c];
  bins.item.resize(bins.start.back());
  if (want_cells) bins.cell_of_item.resize(bins.item.size());
  std::vector<int> next(bins.start.begin(), bins.start.end() - 1);
  for (size_t i = 0; i < boxes.size(); ++i) {
    const CellRange& range = ranges[i];
    for (int r = range.r0; r <= range.r1; ++r)
      for (int c = range.c0; c <= range.c1; ++c) {
        const int cell = r * grid.columns + c, at = next[cell]++;
        bins.item[at] = static_cast<int>(i);
        if (want_cells) bins.cell_of_item[at] = cell;
      }
  }
  return bins;
}

}  // namespace rndr
