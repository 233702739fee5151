// Rows share out threads, and few rows their blocks of columns. The shares of all comparators of a row are computed first, then
// each block of columns, packed so that it stays in the cache, goes through all layers.
#include "cpu/sort_payload.h"

#include <memory>

#include "support/parallel.h"

namespace rndr {
namespace {

constexpr int kItems = 8;  // into how many at least a few rows are cut; fixed, so that results do not depend on threads

// The shares of all comparators of one row.
template <class T>
class RowShares {
 public:
  RowShares(const SortSettings& s, const T* x, bool backward)
      : net_(s.network), values_(s.network.count * size_t(!backward ? 1 : s.straight_through ? 4 : 3)) {
    const auto& relaxation = find_relaxation<T>(simd_level(s.level), s.relaxation);
    const auto settings = relaxation_settings<T>(s);
    const auto exchange = table<T>(simd_level(s.level)).sort.row;
    const size_t count = net_.count;
    Scratch<T> row(net_.wires), d(net_.wires);
    std::copy_n(x, net_.wires, row.data());
    all_.soft = values_.data();
    all_.move = s.straight_through && backward ? values_.data() + 3 * count : all_.soft;
    all_.weight = backward ? values_.data() + count : nullptr;
    all_.slope = backward ? values_.data() + 2 * count : nullptr;
    for (int l = 0; l < net_.layers; ++l) {
      const Layer layer = layer_of(net_, l);
      const int at = net_.starts[l];
      gather_differences(layer, row.data(), d.data());
      if (backward)
        relaxation.shares(layer.count, d.data(), settings, {all_.move + at, all_.soft + at, all_.weight + at, all_.slope + at});
      else
        relaxation.moves(layer.count, d.data(), settings, all_.move + at);
      exchange(layer, all_.move + at, row.data());
    }
  }

  const T* move(int comparator) const { return all_.move + comparator; }
  const T* soft(int comparator) const { return all_.soft + comparator; }

  // The gradient in the row, from each comparator's product.
  void backward(const T* products, T* grad_x) const {
    std::fill_n(grad_x, net_.wires, T(0));
    for (int l = net_.layers - 1; l >= 0; --l)
      for (int k = net_.starts[l]; k < net_.starts[l + 1]; ++k) {
        T &lo = grad_x[net_.lo[k]], &hi = grad_x[net_.hi[k]];
        const T amount = all_.weight[k] * (hi - lo) - all_.slope[k] * products[k];
        lo += amount;
        hi -= amount;
      }
  }

 private:
  const Comparators& net_;
  Scratch<T> values_;
  Shares<T> all_;
};

// Comparators of each layer that a block of columns meets, as a first one and a number.
struct Span {
  int first, count;
};

std::vector<Span> all_comparators(const Comparators& net) {
  std::vector<Span> spans(net.layers);
  for (int l = 0; l < net.layers; ++l) spans[l] = {net.starts[l], net.starts[l + 1] - net.starts[l]};
  return spans;
}

// Unit rows first ... last - 1 spread layer by layer; elsewhere the columns are still 0. In a merge sort that is one block
// after another, so that two thirds of the work fall away.
std::vector<Span> reached_comparators(const Comparators& net, int first, int last) {
  std::vector<Span> spans(net.layers);
  for (int l = 0; l < net.layers; ++l) {
    const int begin = net.starts[l], end = net.starts[l + 1];
    const auto lower = [&](int k) { return std::min(net.lo[k], net.hi[k]); };
    const int from = static_cast<int>(std::lower_bound(net.reach + begin, net.reach + end, first) - net.reach);
    int low = from, high = end;  // comparators are in the order of their lower wires
    while (low < high) {
      const int middle = (low + high) / 2;
      lower(middle) < last ? low = middle + 1 : high = middle;
    }
    spans[l] = {from, low - from};
    if (low > from) {
      first = std::min(first, lower(from));
      last = std::max(last, net.reach[low - 1] + 1);
    }
  }
  return spans;
}

// A payload (wires, columns) whose blocks of columns are packed and unpacked.
template <class T>
struct DenseColumns {
  int wires, columns;
  static std::vector<Span> spans(const Comparators& net, int, int) { return all_comparators(net); }
  void pack(const T* from, int first, int used, int width, T* block) const {
    for (int w = 0; w < wires; ++w) {
      std::copy_n(from + static_cast<size_t>(w) * columns + first, used, block + w * width);
      std::fill_n(block + w * width + used, width - used, T(0));
    }
  }
  void unpack(const T* block, int first, int used, int width, T* to) const {
    for (int w = 0; w < wires; ++w) std::copy_n(block + w * width, used, to + static_cast<size_t>(w) * columns + first);
  }
};

// Unit rows, and the rows of P, (columns, wires), that they become.
template <class T>
struct UnitColumns {
  int wires, columns, offset;
  std::vector<Span> spans(const Comparators& net, int first, int used) const {
    return reached_comparators(net, offset + first, offset + first + used);
  }
  void units(int first, int used, int width, T* block) const {
    std::fill_n(block, static_cast<size_t>(wires) * width, T(0));
    for (int c = 0; c < used; ++c) block[(offset + first + c) * width + c] = T(1);
  }
  void pack(const T* from, int first, int used, int width, T* block) const {
    in_tiles(used, [&](int c, int w, int end) {
      const T* row = from + static_cast<size_t>(first + c) * wires;
      for (; w < end; ++w) block[w * width + c] = row[w];
    });
    for (int w = 0; w < wires; ++w) std::fill_n(block + w * width + used, width - used, T(0));
  }
  void unpack(const T* block, int first, int used, int width, T* to) const {
    in_tiles(used, [&](int c, int w, int end) {
      T* row = to + static_cast<size_t>(first + c) * wires;
      for (; w < end; ++w) row[w] = block[w * width + c];
    });
  }

 private:
  // body(column, first wire, last wire), 16 wires at a time, so that cache lines of both sides are used whole.
  template <class Body>
  void in_tiles(int used, const Body& body) const {
    constexpr int tile = 16;
    for (int w = 0; w < wires; w += tile)
      for (int c = 0; c < used; ++c) body(c, w, std::min(wires, w + tile));
  }
};

template <class T>
const ColumnKernels<T>& kernels_for(const SortSettings& s, int columns) {
  const auto& kernels = table<T>(simd_level(s.level)).sort.columns;
  return columns <= kernels[0].width ? kernels[0] : columns <= kernels[1].width ? kernels[1] : kernels[2];
}

Layer part_of(const Comparators& net, const Span& span) { return {net.lo + span.first, net.hi + span.first, span.count}; }

int groups_a_row(int batch, int blocks) { return std::max(1, std::min(blocks, kItems / std::max(1, batch))); }

// body(row, first block, last block, group) over blocks of columns, those of a row in groups.
template <class Body>
void parallel_rows(int batch, int blocks, int threads, const Body& body) {
  const int groups = groups_a_row(batch, blocks);
  parallel_items(batch * groups, threads, [&](int i) {
    const int row = i / groups, group = i % groups;
    body(row, blocks * group / groups, blocks * (group + 1) / groups, group);
  });
}

// The shares of each row, where several items work on one; else each item computes its own.
template <class T>
class SharedRows {
 public:
  SharedRows(const SortSettings& s, int batch, const T* x, bool backward, int groups) : s_(s), x_(x), backward_(backward) {
    if (groups == 1) return;
    rows_.resize(batch);
    parallel_items(batch, s.threads, [&](int row) { rows_[row] = compute(row); });
  }
  std::shared_ptr<const RowShares<T>> operator[](int row) const { return rows_.empty() ? compute(row) : rows_[row]; }

 private:
  std::shared_ptr<const RowShares<T>> compute(int row) const {
    return std::make_shared<const RowShares<T>>(s_, x_ + static_cast<size_t>(row) * s_.network.wires, backward_);
  }
  const SortSettings& s_;
  const T* x_;
  bool backward_;
  std::vector<std::shared_ptr<const RowShares<T>>> rows_;
};

// What each block of columns meets, the same for all rows.
template <class Columns>
std::vector<std::vector<Span>> spans_of(const Comparators& net, const Columns& columns, int width, int blocks) {
  std::vector<std::vector<Span>> spans;
  for (int b = 0; b < blocks; ++b) spans.push_back(columns.spans(net, b * width, std::min(width, columns.columns - b * width)));
  return spans;
}

// start(row, first column, used, block) fills a block; finish takes it.
template <class T, class Columns, class Start, class Finish>
void forward(const SortSettings& s, int batch, const T* x, const Columns& columns, bool transposed, const Start& start,
             const Finish& finish) {
  const Comparators& net = s.network;
  const ColumnKernels<T>& kernels = kernels_for<T>(s, columns.columns);
  const int width = kernels.width, blocks = (columns.columns + width - 1) / width;
  const auto all_spans = spans_of(net, columns, width, blocks);
  const SharedRows<T> rows(s, batch, x, false, groups_a_row(batch, blocks));
  parallel_rows(batch, blocks, s.threads, [&](int row, int begin, int end, int) {
    const auto shares = rows[row];
    Scratch<T> block(static_cast<size_t>(net.wires) * width);
    for (int b = begin; b < end; ++b) {
      const int first = b * width, used = std::min(width, columns.columns - first);
      start(row, first, used, block.data());
      const std::vector<Span>& spans = all_spans[b];
      for (int i = 0; i < net.layers; ++i) {
        const Span& span = spans[transposed ? net.layers - 1 - i : i];
        kernels.mix(part_of(net, span), shares->move(span.first), block.data());
      }
      finish(row, first, used, block.data());
    }
  });
}

// As forward; load_grad fills the block of the gradient, moved and shared take the payload and the gradient at the far ends.
template <class T, class Columns, class Start, class LoadGrad, class Moved, class Shared>
void backward(const SortSettings& s, int batch, const T* x, const Columns& columns, const Start& start, const LoadGrad& load_grad,
              const Moved& moved, const Shared& shared, T* grad_x) {
  const Comparators& net = s.network;
  const ColumnKernels<T>& kernels = kernels_for<T>(s, columns.columns);
  const int width = kernels.width, blocks = (columns.columns + width - 1) / width;
  const auto cuts = segment_cuts(net, width * sizeof(T));
  const size_t block_size = static_cast<size_t>(net.wires) * width;
  const int groups = groups_a_row(batch, blocks);
  std::vector<T> partial(groups > 1 ? static_cast<size_t>(batch) * groups * net.count : 0);
  const auto all_spans = spans_of(net, columns, width, blocks);
  const SharedRows<T> rows(s, batch, x, true, groups);
  parallel_rows(batch, blocks, s.threads, [&](int row, int begin, int end, int group) {
    const auto shares = rows[row];
    Scratch<T> block(block_size), grad(block_size), differences(static_cast<size_t>(most_comparators(net, cuts)) * width);
    std::vector<T> own(groups > 1 ? 0 : net.count);
    T* products = groups > 1 ? partial.data() + (static_cast<size_t>(row) * groups + group) * net.count : own.data();
    for (int b = begin; b < end; ++b) {
      const int first = b * width, used = std::min(width, columns.columns - first);
      start(row, first, used, block.data());
      load_grad(row, first, used, grad.data());
      const std::vector<Span>& spans = all_spans[b];
      there_and_back(
          net, cuts, block_size, block.data(),
          [&](int l, T* state) { kernels.mix(part_of(net, spans[l]), shares->move(spans[l].first), state); },
          [&](int l, T* state, int at) {
            kernels.mix_and_differences(part_of(net, spans[l]), shares->move(spans[l].first), state,
                                        differences.data() + static_cast<size_t>(at) * width);
          },
          [&](T* state) { moved(row, first, used, state); },
          [&](int l, int at) {
            kernels.mix_backward(part_of(net, spans[l]), shares->soft(spans[l].first),
                                 differences.data() + static_cast<size_t>(at) * width, grad.data(), products + spans[l].first);
          });
      shared(row, first, used, grad.data());
    }
    if (groups == 1) shares->backward(products, grad_x + static_cast<size_t>(row) * net.wires);
  });
  if (groups == 1) return;
  parallel_items(batch, s.threads, [&](int row) {
    T* sum = partial.data() + static_cast<size_t>(row) * groups * net.count;
    for (int g = 1; g < groups; ++g)
      for (int k = 0; k < net.count; ++k) sum[k] += sum[static_cast<size_t>(g) * net.count + k];
    rows[row]->backward(sum, grad_x + static_cast<size_t>(row) * net.wires);
  });
}

}  // namespace

template <class T>
void sort_payload_forward(const SortSettings& s, int batch, const T* x, const T* payload, int columns, bool transposed, T* out) {
  const DenseColumns<T> dense{s.network.wires, columns};
  const size_t size = static_cast<size_t>(s.network.wires) * columns;
  const int width = kernels_for<T>(s, columns).width;
  forward<T>(
      s, batch, x, dense, transposed,
      [&](int row, int first, int used, T* block) { dense.pack(payload + row * size, first, used, width, block); },
      [&](int row, int first, int used, const T* block) { dense.unpack(block, first, used, width, out + row * size); });
}

template <class T>
void sort_payload_backward(const SortSettings& s, int batch, const T* x, const T* payload, const T* grad, int columns, T* grad_x,
                           T* moved, T* shared) {
  const DenseColumns<T> dense{s.network.wires, columns};
  const size_t size = static_cast<size_t>(s.network.wires) * columns;
  const int width = kernels_for<T>(s, columns).width;
  const auto pack = [&](const T* from) {
    return [&, from](int row, int first, int used, T* block) { dense.pack(from + row * size, first, used, width, block); };
  };
  const auto unpack = [&](T* to) {
    return [&, to](int row, int first, int used, const T* block) {
      if (to) dense.unpack(block, first, used, width, to + row * size);
    };
  };
  backward<T>(s, batch, x, dense, pack(payload), pack(grad), unpack(moved), unpack(shared), grad_x);
}

template <class T>
void sort_matrix_forward(const SortSettings& s, int batch, const T* x, int first_row, int count, T* matrix) {
  const UnitColumns<T> unit{s.network.wires, count, first_row};
  const size_t size = static_cast<size_t>(s.network.wires) * count;
  const int width = kernels_for<T>(s, count).width;
  forward<T>(
      s, batch, x, unit, false, [&](int, int first, int used, T* block) { unit.units(first, used, width, block); },
      [&](int row, int first, int used, const T* block) { unit.unpack(block, first, used, width, matrix + row * size); });
}

template <class T>
void sort_matrix_backward(const SortSettings& s, int batch, const T* x, int first_row, int count, const T* grad, T* grad_x) {
  const UnitColumns<T> unit{s.network.wires, count, first_row};
  const size_t size = static_cast<size_t>(s.network.wires) * count;
  const int width = kernels_for<T>(s, count).width;
  const auto ignore = [](int, int, int, const T*) {};
  backward<T>(
      s, batch, x, unit, [&](int, int first, int used, T* block) { unit.units(first, used, width, block); },
      [&](int row, int first, int used, T* block) { unit.pack(grad + row * size, first, used, width, block); }, ignore, ignore, grad_x);
}

#define RNDR_INSTANTIATE(T)                                                                                                     \
  template void sort_payload_forward<T>(const SortSettings&, int, const T*, const T*, int, bool, T*);                           \
  template void sort_payload_backward<T>(const SortSettings&, int, const T*, const T*, const T*, int, T*, T*, T*);              \
  template void sort_matrix_forward<T>(const SortSettings&, int, const T*, int, int, T*);                                       \
  template void sort_matrix_backward<T>(const SortSettings&, int, const T*, int, int, const T*, T*);
RNDR_INSTANTIATE(float)
RNDR_INSTANTIATE(double)
#undef RNDR_INSTANTIATE

}  // namespace rndr
