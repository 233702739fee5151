// Passes over the pixels of a batch in chunks of rows, and sums that chunks scatter to shared places.
#pragma once
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/parallel.h"

namespace rndr {

constexpr int kChunkRows = 16;

// The image that fragments come in: (B, H, W).
struct PixelGrid {
  int batch, height, width;

  int chunks_of_view() const { return (height + kChunkRows - 1) / kChunkRows; }
  int chunks() const { return batch * chunks_of_view(); }
};

// Calls body(chunk, view, first row, last row + 1, first pixel) for every chunk.
template <class Body>
void parallel_rows(const PixelGrid& g, int threads, const Body& body) {
  parallel_items(g.chunks(), threads, [&](int chunk) {
    const int view = chunk / g.chunks_of_view(), row = chunk % g.chunks_of_view() * kChunkRows;
    body(chunk, view, row, std::min(row + kChunkRows, g.height), (static_cast<size_t>(view) * g.height + row) * g.width);
  });
}

// Calls body(face, first, last + 1) for the runs of pixels of [first, last) that show the same face; -1 is the background.
template <class Body>
void for_each_run(const int64_t* face_id, size_t first, size_t last, const Body& body) {
  while (first < last) {
    const int64_t face = face_id[first];
    size_t end = first + 1;
    while (end < last && face_id[end] == face) ++end;
    body(face, first, end);
    first = end;
  }
}

inline void check_face(int64_t face, int face_count) {
  if (face >= face_count)
    throw std::invalid_argument("fragments: face " + std::to_string(face) + " is not among the " + std::to_string(face_count) + " faces");
}

// Rows of `width` numbers that chunks add to rows of `target`, in the order of the chunks whatever the number of threads. Serial
// passes add at once; parallel ones keep their sums until finish(), at a cost in memory proportional to the pixels at most.
template <class T>
class OrderedSums {
 public:
  OrderedSums(T* target, int width, int chunks, int threads) : target_(target), width_(width), direct_(threads <= 1), parts_(direct_ ? 0 : chunks) {}

  void add(int chunk, size_t row, const double* values) {
    if (direct_) return add_row(row, values);
    parts_[chunk].rows.push_back(row);
    parts_[chunk].values.insert(parts_[chunk].values.end(), values, values + width_);
  }
  void finish() {
    for (const Part& part : parts_)
      for (size_t i = 0; i < part.rows.size(); ++i) add_row(part.rows[i], part.values.data() + i * width_);
  }

 private:
  struct Part {
    std::vector<size_t> rows;
    std::vector<double> values;
  };
  void add_row(size_t row, const double* values) {
    for (int c = 0; c < width_; ++c) target_[row * width_ + c] += T(values[c]);
  }
  T* target_;
  int width_;
  bool direct_;
  std::vector<Part> parts_;
};

// Calls body(constant) with the number of channels as a constant where it is small, so that loops over channels unroll, else 0.
template <class Body>
void by_channels(int channels, const Body& body) {
  switch (channels) {
    case 1: return body(std::integral_constant<int, 1>{});
    case 2: return body(std::integral_constant<int, 2>{});
    case 3: return body(std::integral_constant<int, 3>{});
    case 4: return body(std::integral_constant<int, 4>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

}  // namespace rndr
