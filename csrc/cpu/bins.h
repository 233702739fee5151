// Which boxes meet which cell of a regular grid: the index behind tiles, point queries and edge crossings.
#pragma once
#include <vector>

namespace rndr {

struct Box {
  double x0, y0, x1, y1;  // empty when x1 < x0
};

struct Grid {
  double x0, y0, cell_width, cell_height;
  int columns, rows;

  int cells() const { return columns * rows; }
  // Clamped to the grid.
  int column(double x) const;
  int row(double y) const;
};

// Items of cell c are item[start[c]] .. item[start[c + 1] - 1], in ascending order of box.
struct Bins {
  Grid grid;
  std::vector<int> start;
  std::vector<int> item;
  std::vector<int> cell_of_item;  // filled on request
};

// Boxes that miss the grid are in no cell.
Bins bin_boxes(const Grid& grid, const std::vector<Box>& boxes, bool want_cells = false);

}  // namespace rndr
