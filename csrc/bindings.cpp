// The only file that sees Python: raw addresses and sizes in, one line an op, in pipeline order.
#include <nanobind/stl/vector.h>

#include <limits>

#include "cpu/antialias.h"
#include "cpu/barycentrics.h"
#include "cpu/depth_softmax.h"
#include "cpu/face_coverage.h"
#include "cpu/interpolate.h"
#include "cpu/kernels.h"
#include "cpu/logic_layers.h"
#include "cpu/logic_program.h"
#include "cpu/outline_coverage.h"
#include "cpu/rasterize.h"
#include "cpu/sort_payload.h"
#include "cpu/sort_values.h"
#include "cpu/texture.h"
#include "support/binding.h"

namespace nb = nanobind;
using namespace rndr;

namespace {

// (vertices, faces, batch, vertex count, face count, height, width)
template <class T>
Screen<T> screen_of(Address vertices, Address faces, int batch, int vertex_count, int face_count, int height, int width) {
  return {at<const T>(vertices), at<const int64_t>(faces), batch, vertex_count, face_count, height, width};
}

#define RNDR_SCREEN_ARGS Address vertices, Address faces, int batch, int vertex_count, int face_count, int height, int width, bool is_double
#define RNDR_SCREEN(T) screen_of<T>(vertices, faces, batch, vertex_count, face_count, height, width)
#define RNDR_COVERAGE_ARGS                                                                                                         \
  Address parameters, const std::string &distribution, bool squared, double support_eps, const std::string &t_conorm, int threads, \
      const std::string &level
#define RNDR_SETTINGS \
  CoverageSettings { distribution.c_str(), t_conorm.c_str(), level.c_str(), squared, support_eps, threads }

void bind_face_coverage(nb::module_& m) {
  m.def("face_coverage_forward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address state, Address ties, Address value) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      face_coverage_forward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<T>(state), at<T>(ties), at<T>(value));
    });
  });
  m.def("face_coverage_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address state, Address ties, Address grad,
                                     Address grad_vertices, Address grad_parameters) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      face_coverage_backward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<const T>(state), at<const T>(ties),
                                at<const T>(grad), at<T>(grad_vertices), at<T>(grad_parameters));
    });
  });
  m.def("covered_pairs", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS) {
    nb::gil_scoped_release released;
    return by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      return covered_pairs<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS);
    });
  });
}

void bind_outline_coverage(nb::module_& m) {
  m.def("outline_coverage_forward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address value, Address distance, Address nearest) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      outline_coverage_forward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<T>(value), at<T>(distance),
                                  at<int32_t>(nearest));
    });
  });
  m.def("outline_coverage_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address distance, Address nearest, Address grad,
                                        Address grad_vertices, Address grad_parameters) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      outline_coverage_backward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<const T>(distance),
                                   at<const int32_t>(nearest), at<const T>(grad), at<T>(grad_vertices), at<T>(grad_parameters));
    });
  });
}

#define RNDR_SOFTMAX_ARGS \
  Address attributes, Address corners, int count, int channels, double eps, double near, double far, bool perspective
#define RNDR_ATTRIBUTES(T) \
  Attributes<T> { at<const T>(attributes), at<const int64_t>(corners), count, channels }
#define RNDR_TEXTURE_SET_ARGS                                                                                                     \
  Address uv, Address uv_corners, int uv_count, Address slopes, Address texels, int sets, long long texel_count, int texture_channels, \
      Address face_texture, const std::vector<int64_t>&layouts
#define RNDR_TEXTURES(T)                                                                                                              \
  TextureSet<T> {                                                                                                                     \
    at<const T>(uv), at<const int64_t>(uv_corners), uv_count, at<const T>(slopes), at<const T>(texels), sets, texel_count, texture_channels, \
        at<const int64_t>(face_texture), layouts.data(), static_cast<int>(layouts.size() / 6)                                         \
  }
#define RNDR_SOFTMAX \
  SoftmaxSettings { eps, near, far, perspective }

void bind_depth_softmax(nb::module_& m) {
  m.def("depth_softmax_forward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_SOFTMAX_ARGS, RNDR_TEXTURE_SET_ARGS, Address colour,
                                    Address background, Address nearest, Address sum) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      depth_softmax_forward<T>(RNDR_SCREEN(T), RNDR_ATTRIBUTES(T), RNDR_TEXTURES(T), at<const T>(parameters), RNDR_SETTINGS, RNDR_SOFTMAX,
                               at<T>(colour), at<T>(background), at<T>(nearest), at<T>(sum));
    });
  });
  m.def("depth_softmax_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_SOFTMAX_ARGS, RNDR_TEXTURE_SET_ARGS, Address colour,
                                     Address background, Address nearest, Address sum, Address grad_colour, Address grad_background,
                                     Address grad_vertices, Address grad_attributes, Address grad_parameters, Address grad_uv,
                                     Address grad_slopes, Address grad_texels) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      depth_softmax_backward<T>(RNDR_SCREEN(T), RNDR_ATTRIBUTES(T), RNDR_TEXTURES(T), at<const T>(parameters), RNDR_SETTINGS, RNDR_SOFTMAX,
                                at<const T>(colour), at<const T>(background), at<const T>(nearest), at<const T>(sum),
                                at<const T>(grad_colour), at<const T>(grad_background),
                                {at<T>(grad_vertices), at<T>(grad_attributes), at<T>(grad_parameters), at<T>(grad_uv), at<T>(grad_slopes),
                                 at<T>(grad_texels)});
    });
  });
}

void bind_rasterize(nb::module_& m) {
  m.def("rasterize", [](RNDR_SCREEN_ARGS, bool perspective, bool cull_back_faces, int threads, const std::string& level, Address behind,
                        Address face_id, Address depth) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      rasterize<T>(RNDR_SCREEN(T), {perspective, cull_back_faces, level.c_str(), threads}, at<const T>(behind), at<int64_t>(face_id),
                   at<T>(depth));
    });
  });
  m.def("barycentrics_forward", [](RNDR_SCREEN_ARGS, bool perspective, int threads, Address face_id, Address barycentrics) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      barycentrics_forward<T>(RNDR_SCREEN(T), at<const int64_t>(face_id), perspective, threads, at<T>(barycentrics));
    });
  });
  m.def("barycentrics_backward", [](RNDR_SCREEN_ARGS, bool perspective, int threads, Address face_id, Address grad_barycentrics,
                                    Address grad_depth, Address grad_vertices) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      barycentrics_backward<T>(RNDR_SCREEN(T), at<const int64_t>(face_id), perspective, threads, at<const T>(grad_barycentrics),
                               at<const T>(grad_depth), at<T>(grad_vertices));
    });
  });
}

#define RNDR_INTERPOLATE_ARGS                                                                                                         \
  int batch, int height, int width, Address values, Address faces, int count, int face_count, int channels, bool is_double, int threads, \
      Address face_id, Address barycentrics
#define RNDR_FACE_ATTRIBUTES(T) \
  FaceAttributes<T> { at<const T>(values), at<const int64_t>(faces), count, face_count, channels }

void bind_interpolate(nb::module_& m) {
  m.def("interpolate_forward", [](RNDR_INTERPOLATE_ARGS, Address out) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      interpolate_forward<T>({batch, height, width}, RNDR_FACE_ATTRIBUTES(T), at<const int64_t>(face_id), at<const T>(barycentrics),
                             threads, at<T>(out));
    });
  });
  m.def("interpolate_backward", [](RNDR_INTERPOLATE_ARGS, Address grad, Address grad_values, Address grad_barycentrics) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      interpolate_backward<T>({batch, height, width}, RNDR_FACE_ATTRIBUTES(T), at<const int64_t>(face_id), at<const T>(barycentrics),
                              at<const T>(grad), threads, at<T>(grad_values), at<T>(grad_barycentrics));
    });
  });
}

#define RNDR_TEXTURE_ARGS                                                                                                            \
  int batch, int height, int width, Address texels, int textures, long long count, int channels, int texture_height, int texture_width, \
      int levels, bool nearest, bool repeat, bool is_double, int threads, Address uv, Address lod
#define RNDR_TEXTURE(T) \
  Texture<T> { at<const T>(texels), textures, count, channels, {texture_height, texture_width, levels, nearest, repeat} }

void bind_texture(nb::module_& m) {
  m.def("texture_forward", [](RNDR_TEXTURE_ARGS, Address out) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      texture_forward<T>({batch, height, width}, RNDR_TEXTURE(T), at<const T>(uv), at<const T>(lod), threads, at<T>(out));
    });
  });
  m.def("texture_backward", [](RNDR_TEXTURE_ARGS, Address grad, Address grad_uv, Address grad_texels, Address grad_lod) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      texture_backward<T>({batch, height, width}, RNDR_TEXTURE(T), at<const T>(uv), at<const T>(lod), at<const T>(grad), threads,
                          at<T>(grad_uv), at<T>(grad_texels), at<T>(grad_lod));
    });
  });
}

void bind_antialias(nb::module_& m) {
  m.def("antialias_forward", [](RNDR_SCREEN_ARGS, int threads, Address face_id, Address depth, Address image, int channels,
                                Address crossings, Address out) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      antialias_forward<T>(RNDR_SCREEN(T), at<const int64_t>(face_id), at<const T>(depth), at<const T>(image), channels, threads,
                           at<int32_t>(crossings), at<T>(out));
    });
  });
  m.def("antialias_backward", [](RNDR_SCREEN_ARGS, int threads, Address image, int channels, Address crossings, Address grad,
                                 Address grad_image, Address grad_vertices) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      antialias_backward<T>(RNDR_SCREEN(T), at<const T>(image), channels, threads, at<const int32_t>(crossings), at<const T>(grad),
                            at<T>(grad_image), at<T>(grad_vertices));
    });
  });
}

// (wires, layers, comparators, address of starts, lo, hi and reach one after the other)
SortSettings sort_settings(int wires, int layers, int count, Address tables, const std::string& relaxation, double beta, double shape,
                           double shift, bool straight_through, int threads, const std::string& level) {
  const int32_t *starts = at<const int32_t>(tables), *lo = starts + layers + 1;
  return {{wires, layers, count, starts, lo, lo + count, lo + 2 * count},
          relaxation.c_str(), beta, shape, shift, straight_through, level.c_str(), threads};
}

#define RNDR_SORT_ARGS                                                                                                                \
  int wires, int layers, int comparators, Address tables, const std::string &relaxation, double beta, double shape, double shift,      \
      bool straight_through, int threads, const std::string &level, bool is_double, int batch, Address x
#define RNDR_SORT sort_settings(wires, layers, comparators, tables, relaxation, beta, shape, shift, straight_through, threads, level)

void bind_sort(nb::module_& m) {
  m.def("sort_values_forward", [](RNDR_SORT_ARGS, Address out) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_values_forward<T>(RNDR_SORT, batch, at<const T>(x), at<T>(out));
    });
  });
  m.def("sort_values_backward", [](RNDR_SORT_ARGS, Address grad, Address grad_x) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_values_backward<T>(RNDR_SORT, batch, at<const T>(x), at<const T>(grad), at<T>(grad_x));
    });
  });
  m.def("sort_payload_forward", [](RNDR_SORT_ARGS, Address payload, int columns, bool transposed, Address out) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_payload_forward<T>(RNDR_SORT, batch, at<const T>(x), at<const T>(payload), columns, transposed, at<T>(out));
    });
  });
  m.def("sort_payload_backward", [](RNDR_SORT_ARGS, Address payload, Address grad, int columns, Address grad_x, Address moved,
                                    Address shared) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_payload_backward<T>(RNDR_SORT, batch, at<const T>(x), at<const T>(payload), at<const T>(grad), columns, at<T>(grad_x),
                               at<T>(moved), at<T>(shared));
    });
  });
  m.def("sort_matrix_forward", [](RNDR_SORT_ARGS, int first, int count, Address matrix) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_matrix_forward<T>(RNDR_SORT, batch, at<const T>(x), first, count, at<T>(matrix));
    });
  });
  m.def("sort_matrix_backward", [](RNDR_SORT_ARGS, int first, int count, Address grad, Address grad_x) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      sort_matrix_backward<T>(RNDR_SORT, batch, at<const T>(x), first, count, at<const T>(grad), at<T>(grad_x));
    });
  });
}

#define RNDR_LOGIC_ARGS                                                                                                         \
  int batch, int inputs, int columns, int layers, int groups, Address widths, Address a, Address b, Address coefficients, bool is_double,   \
      const std::string &level, int threads, Address x, int64_t x_batch, int64_t x_row, int64_t x_column
#define RNDR_LOGIC_STACK(T) \
  LogicStack<T> { batch, inputs, columns, layers, groups, at<const int64_t>(widths), at<const int32_t>(a), at<const int32_t>(b), at<const T>(coefficients) }
#define RNDR_LOGIC_X(T) \
  Strided<T> { at<const T>(x), x_batch, x_row, x_column }

void bind_logic_layers(nb::module_& m) {
  m.def("logic_layers_forward", [](RNDR_LOGIC_ARGS, Address y) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_layers_forward<T>(RNDR_LOGIC_STACK(T), RNDR_LOGIC_X(T), level.c_str(), threads, at<T>(y));
    });
  });
  m.def("logic_layers_backward", [](RNDR_LOGIC_ARGS, Address grad, int64_t grad_batch, int64_t grad_row, int64_t grad_column,
                                    Address grad_x, Address grad_coefficients) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_layers_backward<T>(RNDR_LOGIC_STACK(T), RNDR_LOGIC_X(T), {at<const T>(grad), grad_batch, grad_row, grad_column}, level.c_str(),
                               threads, at<T>(grad_x), at<T>(grad_coefficients));
    });
  });
  m.def("logic_coefficients_forward", [](int64_t n, Address z, double temperature, bool is_double, const std::string& level, int threads,
                                         Address coefficients) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_coefficients_forward<T>(n, at<const T>(z), temperature, level.c_str(), threads, at<T>(coefficients));
    });
  });
  m.def("logic_coefficients_backward", [](int64_t n, Address z, double temperature, bool is_double, const std::string& level, int threads,
                                          Address grad, Address grad_z) {
    nb::gil_scoped_release released;
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_coefficients_backward<T>(n, at<const T>(z), temperature, at<const T>(grad), level.c_str(), threads, at<T>(grad_z));
    });
  });
}

void bind_logic_program(nb::module_& m) {
  m.def("logic_program_counts", [](int inputs, int slots, int run_count, int groups, Address runs, Address a, Address b,
                                   Address outputs, Address group_starts, Address offsets, Address bytes, Address words, int64_t samples,
                                   int block_words, const std::string& level, int threads, Address counts) {
    nb::gil_scoped_release released;
    logic_program_counts({inputs, slots, run_count, groups, at<const BitRun>(runs), at<const int32_t>(a), at<const int32_t>(b),
                          at<const int32_t>(outputs), at<const int32_t>(group_starts), at<const int64_t>(offsets)},
                         {at<const uint8_t>(bytes), at<const uint64_t>(words), samples}, block_words, level.c_str(), threads,
                         at<int32_t>(counts));
  });
  m.def("pack_bits", [](Address bytes, int64_t samples, int signals, const std::string& level, int threads, Address words) {
    nb::gil_scoped_release released;
    pack_bits(at<const uint8_t>(bytes), samples, signals, level.c_str(), threads, at<uint64_t>(words));
  });
  m.def("unpack_bits", [](Address words, int64_t samples, int signals, int threads, Address bytes) {
    nb::gil_scoped_release released;
    unpack_bits(at<const uint64_t>(words), samples, signals, threads, at<uint8_t>(bytes));
  });
}

// Elementwise views of the kernels, so that tests can hold them against the Python classes.
void bind_relax(nb::module_& m) {
  m.def("distribution_kernel", [](const std::string& level, const std::string& name, const std::string& function, bool is_double, int n,
                                  Address z, double shape, double shift, Address out) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      const auto& k = find_distribution<T>(simd_level(level.c_str()), name.c_str());
      const CoverageParams<T> c{T(1), T(shape), T(shift), T(0), -std::numeric_limits<T>::infinity(), false};
      const auto run = function == "cdf" ? k.cdf : function == "level" ? k.level : function == "pdf" ? k.pdf : k.dcdf_dshape;
      run(n, at<const T>(z), c, at<T>(out));
    });
  });
  m.def("distribution_support", [](const std::string& name, double eps, double shape, double shift) {
    const auto& k = find_distribution<double>(simd_level(""), name.c_str());
    return nb::make_tuple(k.outer(eps, shape, shift), k.inner(eps, shape, shift));
  });
  m.def("simd_level", [](const std::string& name) { return std::string(simd_level(name.c_str()).name); });
  m.def("t_conorm_traits", [](const std::string& name) {
    const auto& k = find_t_conorm<double>(simd_level(""), name.c_str());
    return nb::make_tuple(k.has_p, k.counts_ties);
  });
}

}  // namespace

NB_MODULE(_C, m) {
  m.doc() = "Native kernels of renderer; call them through renderer.ops.";
  bind_face_coverage(m);
  bind_outline_coverage(m);
  bind_depth_softmax(m);
  bind_rasterize(m);
  bind_interpolate(m);
  bind_texture(m);
  bind_antialias(m);
  bind_sort(m);
  bind_logic_layers(m);
  bind_logic_program(m);
  bind_relax(m);
}
