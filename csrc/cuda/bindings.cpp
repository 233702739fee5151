// The CUDA kernels for Python: raw addresses and sizes in, the status and the stream last. Compiled twice: as renderer._cuda, where addresses
// are of the device, and as renderer._cuda_emulated, where they are of the host.
#include "cuda/interpolate.h"
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

}  // namespace

NB_MODULE(RNDR_MODULE, m) {
  m.doc() = "CUDA kernels of renderer; call them through renderer.ops.";
  bind_interpolate(m);
}
