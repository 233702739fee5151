// The CUDA kernels for Python: raw addresses and sizes in, the status and the stream last. Compiled twice: as renderer._cuda, where addresses
// are of the device, and as renderer._cuda_emulated, where they are of the host.
#include "cuda/face_coverage.h"
#include "cuda/interpolate.h"
#include "cuda/sort_payload.h"
#include "cuda/sort_values.h"
#include "support/binding.h"

namespace nb = nanobind;
using namespace rndr;

namespace {

#define RNDR_CONTEXT Address status, Address stream
#define RNDR_STATUS at<int64_t>(status)
#define RNDR_STREAM reinterpret_cast<cudaStream_t>(stream)

// Where a gradient adds up: target, and for sums in a fixed order the sources' rows and shares.
#define RNDR_SCATTER_ARGS(name) Address name, Address name##_row, Address name##_share
#define RNDR_SCATTER(T, name, width) \
  Scatter<T> { at<T>(name), width, at<int64_t>(name##_row), at<T>(name##_share) }

// (vertices, faces, batch, vertex count, face count, height, width)
#define RNDR_SCREEN_ARGS \
  Address vertices, Address faces, int batch, int vertex_count, int face_count, int height, int width, bool is_double
#define RNDR_SCREEN(T) \
  Screen<T> { at<const T>(vertices), at<const int64_t>(faces), batch, vertex_count, face_count, height, width }
#define RNDR_BINS_ARGS(name) Address name##_count, Address name##_start, Address name##_item, long long name##_room, Address name##_total
#define RNDR_BINS(name) \
  Bins { at<unsigned>(name##_count), at<int64_t>(name##_start), at<int>(name##_item), name##_room, at<int64_t>(name##_total) }
#define RNDR_COVERAGE_ARGS \
  Address parameters, const std::string &distribution, bool squared, double support_eps, const std::string &t_conorm, Address plan
#define RNDR_SETTINGS \
  CoverageSettings { distribution.c_str(), t_conorm.c_str(), squared, support_eps }

void bind_face_coverage(nb::module_& m) {
  m.def("face_coverage_forward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_BINS_ARGS(faces), Address state, Address ties,
                                    Address value, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      face_coverage_forward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<CoveragePlan<T>>(plan), RNDR_BINS(faces),
                               at<T>(state), at<T>(ties), at<T>(value), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("face_coverage_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_BINS_ARGS(faces), Address state, Address ties,
                                     Address grad, RNDR_SCATTER_ARGS(grad_vertices), Address parameter_parts, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      static_assert(sizeof(CoveragePlan<T>) <= 16 * sizeof(double), "renderer/ops/coverage_call.py allocates no more");
      face_coverage_backward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<CoveragePlan<T>>(plan), RNDR_BINS(faces),
                                at<const T>(state), at<const T>(ties), at<const T>(grad), RNDR_SCATTER(T, grad_vertices, 3),
                                at<double>(parameter_parts), RNDR_STATUS, RNDR_STREAM);
    });
  });
}

#define RNDR_INTERPOLATE_ARGS                                                                                                     \
  int batch, int height, int width, Address values, Address faces, int count, int face_count, int channels, bool is_double,       \
      Address face_id, Address barycentrics
#define RNDR_FACE_ATTRIBUTES(T) \
  FaceAttributes<T> { at<const T>(values), at<const int64_t>(faces), count, face_count, channels }

void bind_interpolate(nb::module_& m) {
  m.def("interpolate_forward", [](RNDR_INTERPOLATE_ARGS, Address out, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      interpolate_forward<T>({batch, height, width}, RNDR_FACE_ATTRIBUTES(T), at<const int64_t>(face_id), at<const T>(barycentrics),
                             at<T>(out), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("interpolate_backward", [](RNDR_INTERPOLATE_ARGS, Address grad, RNDR_SCATTER_ARGS(grad_values), Address grad_barycentrics,
                                   RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      interpolate_backward<T>({batch, height, width}, RNDR_FACE_ATTRIBUTES(T), at<const int64_t>(face_id), at<const T>(barycentrics),
                              at<const T>(grad), RNDR_SCATTER(T, grad_values, channels), at<T>(grad_barycentrics), RNDR_STREAM);
    });
    (void)status;
  });
}

// (wires, layers, comparators, address of starts, lo, hi and reach one after the other)
SortSettings sort_settings(int wires, int layers, int count, Address tables, const std::string& relaxation, double beta, double shape,
                           double shift, bool straight_through) {
  const int32_t *starts = at<const int32_t>(tables), *lo = starts + layers + 1;
  return {{wires, layers, count, starts, lo, lo + count, lo + 2 * count}, relaxation.c_str(), beta, shape, shift, straight_through};
}

#define RNDR_SORT_ARGS                                                                                                           \
  int wires, int layers, int comparators, Address tables, const std::string &relaxation, double beta, double shape, double shift, \
      bool straight_through, bool is_double, int batch
#define RNDR_SORT sort_settings(wires, layers, comparators, tables, relaxation, beta, shape, shift, straight_through)

void bind_sort(nb::module_& m) {
  m.def("sort_values_forward", [](RNDR_SORT_ARGS, Address x, Address out, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_values_forward<T>(RNDR_SORT, batch, at<const T>(x), at<T>(out), RNDR_STREAM);
    });
    (void)status;
  });
  m.def("sort_values_scratch", [](int wires, int layers) { return sort_values_scratch(wires, layers); });
  m.def("sort_values_backward", [](RNDR_SORT_ARGS, Address x, Address grad, Address grad_x, Address scratch, int blocks, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_values_backward<T>(RNDR_SORT, batch, at<const T>(x), at<const T>(grad), at<T>(grad_x), at<T>(scratch), blocks, RNDR_STREAM);
    });
    (void)status;
  });
  m.def("sort_shares", [](RNDR_SORT_ARGS, Address x, bool backward, Address state, Address shares, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_shares<T>(RNDR_SORT, batch, at<const T>(x), backward, at<T>(state), at<T>(shares), RNDR_STREAM);
    });
    (void)status;
  });
  m.def("sort_payload_forward", [](RNDR_SORT_ARGS, Address shares, Address payload, int columns, bool transposed, Address out,
                                   RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_payload_forward<T>(RNDR_SORT, batch, at<const T>(shares), at<const T>(payload), columns, transposed, at<T>(out), RNDR_STREAM);
    });
    (void)status;
  });
  m.def("sort_payload_scratch",
        [](int wires, int layers, int comparators) { return sort_payload_scratch(wires, layers, comparators); });
  m.def("sort_payload_backward", [](RNDR_SORT_ARGS, Address shares, Address payload, Address grad, int columns, Address grad_x,
                                    Address moved, Address shared, Address scratch, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_payload_backward<T>(RNDR_SORT, batch, at<const T>(shares), at<const T>(payload), at<const T>(grad), columns, at<T>(grad_x),
                               at<T>(moved), at<T>(shared), at<T>(scratch), RNDR_STREAM);
    });
    (void)status;
  });
}

}  // namespace

NB_MODULE(RNDR_MODULE, m) {
  m.doc() = "CUDA kernels of renderer; call them through renderer.ops.";
  bind_face_coverage(m);
  bind_interpolate(m);
  bind_sort(m);
}
