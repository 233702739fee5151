#include "cuda/screen.h"

RNDR_NAMESPACE_BEGIN
namespace {

template <class T>
__global__ void check_kernel(Screen<T> s, Status status) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < 3ll * s.face_count && (s.faces[i] < 0 || s.faces[i] >= s.vertex_count))
    report(status, Error::kFaceVertex, i / 3, s.faces[i], s.vertex_count);
  if (i < static_cast<long long>(s.batch) * s.vertex_count)
    for (int k = 0; k < 3; ++k)
      if (!(s.vertices[3 * i + k] * T(0) == T(0))) report(status, Error::kVertex, i % s.vertex_count, i / s.vertex_count);
}

}  // namespace

template <class T>
void check_screen(const Screen<T>& s, Status status, cudaStream_t stream) {
  const long long vertices = static_cast<long long>(s.batch) * s.vertex_count, corners = 3ll * s.face_count;
  launch(check_kernel<T>, {blocks_for(vertices > corners ? vertices : corners, 256), 256, 0, stream}, s, status);
}

template void check_screen<float>(const Screen<float>&, Status, cudaStream_t);
template void check_screen<double>(const Screen<double>&, Status, cudaStream_t);

RNDR_NAMESPACE_END
