// The CUDA kernels for Python: raw addresses and sizes in, the status and the stream last. Compiled twice: as renderer._cuda, where addresses
// are of the device, and as renderer._cuda_emulated, where they are of the host.
#include "cuda/antialias.h"
#include "cuda/barycentrics.h"
#include "cuda/depth_softmax.h"
#include "cuda/face_coverage.h"
#include "cuda/interpolate.h"
#include "cuda/logic_layers.h"
#include "cuda/logic_program.h"
#include "cuda/outline_coverage.h"
#include "cuda/rasterize.h"
#include "cuda/sort_payload.h"
#include "cuda/sort_values.h"
#include "cuda/texture.h"
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

void bind_outline_coverage(nb::module_& m) {
  m.def("outline_coverage_forward",
        [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address key, Address order, Address domain, Address candidates, int columns, int rows,
           RNDR_BINS_ARGS(faces), RNDR_BINS_ARGS(edges), RNDR_BINS_ARGS(tile_faces), RNDR_BINS_ARGS(tile_edges), Address value,
           Address distance, Address nearest, RNDR_CONTEXT) {
          static_assert(sizeof(OutlineCandidateSlot) == 48, "renderer/ops/outline_coverage.py allocates as much");
          const OutlineBuffers buffers{at<Rectangle>(domain), at<OutlineCandidateSlot>(candidates), columns,
                                       rows,                  RNDR_BINS(faces),                     RNDR_BINS(edges),
                                       RNDR_BINS(tile_faces), RNDR_BINS(tile_edges)};
          by_dtype(is_double, [&](auto t) {
            using T = decltype(t);
            outline_coverage_forward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<CoveragePlan<T>>(plan),
                                        {at<const int64_t>(key), at<const int64_t>(order)}, buffers, at<T>(value), at<T>(distance),
                                        at<int32_t>(nearest), RNDR_STATUS, RNDR_STREAM);
          });
        });
  m.def("outline_coverage_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, Address distance, Address nearest, Address grad,
                                        RNDR_SCATTER_ARGS(grad_vertices), Address parameter_parts, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      outline_coverage_backward<T>(RNDR_SCREEN(T), at<const T>(parameters), RNDR_SETTINGS, at<CoveragePlan<T>>(plan),
                                   at<const T>(distance), at<const int32_t>(nearest), at<const T>(grad), RNDR_SCATTER(T, grad_vertices, 3),
                                   at<double>(parameter_parts), RNDR_STATUS, RNDR_STREAM);
    });
  });
}

#define RNDR_SOFTMAX_ARGS                                                                                                           \
  Address attributes, Address corners, int count, int channels, double eps, double near, double far, bool perspective, Address uv, \
      Address uv_corners, int uv_count, Address slopes, Address texels, int sets, long long texel_count, int texture_channels,     \
      Address face_texture, Address layouts, int layout_count
#define RNDR_ATTRIBUTES(T) \
  Attributes<T> { at<const T>(attributes), at<const int64_t>(corners), count, channels }
#define RNDR_TEXTURES(T)                                                                                                            \
  TextureSet<T> {                                                                                                                   \
    at<const T>(uv), at<const int64_t>(uv_corners), uv_count, at<const T>(slopes), at<const T>(texels), sets, texel_count,          \
        texture_channels, at<const int64_t>(face_texture), at<const int64_t>(layouts), layout_count                                 \
  }
#define RNDR_SOFTMAX \
  SoftmaxSettings { eps, near, far, perspective }

void bind_depth_softmax(nb::module_& m) {
  m.def("depth_softmax_forward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_SOFTMAX_ARGS, RNDR_BINS_ARGS(faces), Address colour,
                                    Address background, Address nearest, Address sum, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      depth_softmax_forward<T>(RNDR_SCREEN(T), RNDR_ATTRIBUTES(T), RNDR_TEXTURES(T), at<const T>(parameters), RNDR_SETTINGS, RNDR_SOFTMAX,
                               at<CoveragePlan<T>>(plan), RNDR_BINS(faces), at<T>(colour), at<T>(background), at<T>(nearest), at<T>(sum),
                               RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("depth_softmax_backward", [](RNDR_SCREEN_ARGS, RNDR_COVERAGE_ARGS, RNDR_SOFTMAX_ARGS, RNDR_BINS_ARGS(faces), Address colour,
                                     Address background, Address nearest, Address sum, Address grad_colour, Address grad_background,
                                     RNDR_SCATTER_ARGS(grad_vertices), RNDR_SCATTER_ARGS(grad_attributes), Address grad_uv,
                                     Address grad_slopes, Address grad_texels, Address parameter_parts, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      const SoftmaxScatters<T> gradients{RNDR_SCATTER(T, grad_vertices, 3), RNDR_SCATTER(T, grad_attributes, channels),
                                         {at<T>(grad_uv), 2, nullptr, nullptr}, {at<T>(grad_slopes), kSlopes, nullptr, nullptr},
                                         {at<T>(grad_texels), texture_channels, nullptr, nullptr}};
      depth_softmax_backward<T>(RNDR_SCREEN(T), RNDR_ATTRIBUTES(T), RNDR_TEXTURES(T), at<const T>(parameters), RNDR_SETTINGS, RNDR_SOFTMAX,
                                at<CoveragePlan<T>>(plan), RNDR_BINS(faces),
                                {at<const T>(colour), at<const T>(background), at<const T>(nearest), at<const T>(sum),
                                 at<const T>(grad_colour), at<const T>(grad_background)},
                                gradients, at<double>(parameter_parts), RNDR_STATUS, RNDR_STREAM);
    });
  });
}

void bind_rasterize(nb::module_& m) {
  m.def("rasterize", [](RNDR_SCREEN_ARGS, bool perspective, bool cull_back_faces, RNDR_BINS_ARGS(faces), Address behind, Address face_id,
                        Address depth, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      rasterize<T>(RNDR_SCREEN(T), perspective, cull_back_faces, RNDR_BINS(faces), at<const T>(behind), at<int64_t>(face_id), at<T>(depth),
                   RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("barycentrics_forward", [](RNDR_SCREEN_ARGS, bool perspective, Address face_id, Address barycentrics, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      barycentrics_forward<T>(RNDR_SCREEN(T), at<const int64_t>(face_id), perspective, at<T>(barycentrics), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("barycentrics_backward", [](RNDR_SCREEN_ARGS, bool perspective, Address face_id, Address grad_barycentrics, Address grad_depth,
                                    RNDR_SCATTER_ARGS(grad_vertices), RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      barycentrics_backward<T>(RNDR_SCREEN(T), at<const int64_t>(face_id), perspective, at<const T>(grad_barycentrics),
                               at<const T>(grad_depth), RNDR_SCATTER(T, grad_vertices, 3), RNDR_STREAM);
    });
    (void)status;
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

#define RNDR_TEXTURE_ARGS                                                                                                            \
  int batch, int height, int width, Address texels, int textures, long long count, int channels, int texture_height, int texture_width, \
      int levels, bool nearest, bool repeat, bool is_double, Address uv, Address lod
#define RNDR_TEXTURE(T) \
  Texture<T> { at<const T>(texels), textures, count, channels, {texture_height, texture_width, levels, nearest, repeat} }

void bind_texture(nb::module_& m) {
  m.def("texture_forward", [](RNDR_TEXTURE_ARGS, Address out, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      texture_forward<T>({batch, height, width}, RNDR_TEXTURE(T), at<const T>(uv), at<const T>(lod), at<T>(out), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("texture_backward", [](RNDR_TEXTURE_ARGS, Address grad, Address grad_uv, RNDR_SCATTER_ARGS(grad_texels), Address grad_lod,
                               RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      texture_backward<T>({batch, height, width}, RNDR_TEXTURE(T), at<const T>(uv), at<const T>(lod), at<const T>(grad), at<T>(grad_uv),
                          RNDR_SCATTER(T, grad_texels, channels), at<T>(grad_lod), RNDR_STREAM);
    });
    (void)status;
  });
}

void bind_antialias(nb::module_& m) {
  m.def("antialias_forward", [](RNDR_SCREEN_ARGS, Address key, Address order, Address next, Address face_id, Address depth, Address image,
                                int channels, Address crossings, Address out, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      antialias_forward<T>(RNDR_SCREEN(T), {at<const int64_t>(key), at<const int64_t>(order)}, at<int>(next), at<const int64_t>(face_id),
                           at<const T>(depth), at<const T>(image), channels, at<int32_t>(crossings), at<T>(out), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("antialias_backward", [](RNDR_SCREEN_ARGS, Address image, int channels, Address crossings, Address grad, Address grad_image,
                                 RNDR_SCATTER_ARGS(grad_vertices), RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      antialias_backward<T>(RNDR_SCREEN(T), at<const T>(image), channels, at<const int32_t>(crossings), at<const T>(grad),
                            at<T>(grad_image), RNDR_SCATTER(T, grad_vertices, 3), RNDR_STREAM);
    });
    (void)status;
  });
}

#define RNDR_LOGIC_LAYER_ARGS                                                                                                  \
  int layer, int batch, int inputs, int neurons, int columns, Address a, Address b, Address coefficients, bool is_double, Address x
#define RNDR_LOGIC_LAYER(T) \
  LogicLayerOnDevice<T> { layer, batch, inputs, neurons, columns, at<const int32_t>(a), at<const int32_t>(b), at<const T>(coefficients) }

void bind_logic_layers(nb::module_& m) {
  m.def("logic_layer_forward", [](RNDR_LOGIC_LAYER_ARGS, Address y, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_layer_forward<T>(RNDR_LOGIC_LAYER(T), at<const T>(x), at<T>(y), RNDR_STATUS, RNDR_STREAM);
    });
  });
  m.def("logic_layer_backward", [](RNDR_LOGIC_LAYER_ARGS, Address reader, Address start, Address grad, Address grad_x,
                                   Address grad_coefficients, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_layer_backward<T>(RNDR_LOGIC_LAYER(T), at<const T>(x), {at<const int64_t>(reader), at<const int64_t>(start)}, at<const T>(grad),
                              at<T>(grad_x), at<T>(grad_coefficients), RNDR_STREAM);
    });
    (void)status;
  });
  m.def("logic_coefficients_forward", [](int neurons, Address z, double temperature, bool is_double, Address c, RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_coefficients_forward<T>(neurons, at<const T>(z), T(1 / temperature), at<T>(c), RNDR_STREAM);
    });
    (void)status;
  });
  m.def("logic_coefficients_backward", [](int neurons, Address z, double temperature, bool is_double, Address grad, Address grad_z,
                                          RNDR_CONTEXT) {
    by_dtype(is_double, [&](auto t) {
      using T = decltype(t);
      logic_coefficients_backward<T>(neurons, at<const T>(z), T(1 / temperature), at<const T>(grad), at<T>(grad_z), RNDR_STREAM);
    });
    (void)status;
  });
}

void bind_logic_program(nb::module_& m) {
  m.def("pack_bits", [](Address bytes, int64_t samples, int signals, Address words, RNDR_CONTEXT) {
    pack_bits(at<const uint8_t>(bytes), samples, signals, at<uint64_t>(words), RNDR_STREAM);
    (void)status;
  });
  m.def("logic_program_run", [](int gate, int count, Address a, Address b, int64_t words, Address slots, Address out, RNDR_CONTEXT) {
    logic_program_run(gate, count, at<const int32_t>(a), at<const int32_t>(b), words, at<const uint64_t>(slots), at<uint64_t>(out),
                      RNDR_STREAM);
    (void)status;
  });
  m.def("logic_program_sum", [](int groups, Address outputs, Address group_starts, Address offsets, Address slots, int64_t samples,
                                Address counts, RNDR_CONTEXT) {
    logic_program_sum(groups, at<const int32_t>(outputs), at<const int32_t>(group_starts), at<const int64_t>(offsets),
                      at<const uint64_t>(slots), samples, at<int32_t>(counts), RNDR_STREAM);
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
  bind_outline_coverage(m);
  bind_depth_softmax(m);
  bind_rasterize(m);
  bind_interpolate(m);
  bind_texture(m);
  bind_antialias(m);
  bind_sort(m);
  bind_logic_layers(m);
  bind_logic_program(m);
}
