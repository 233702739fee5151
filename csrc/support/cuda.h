// What every .cu file includes: CUDA under nvcc, the emulation under g++. Kernels are written once, in plain CUDA: thread, block, shared
// memory, __syncthreads (also _and, _or, _count) and atomics. No warp primitives.
//
// How to add a kernel:
//   csrc/cuda/name.h   the launcher's declaration: raw device pointers, sizes, and the stream last
//   csrc/cuda/name.cu  #include "support/cuda.h"; __global__ functions; the launcher calls launch(kernel, {grid, block, bytes, stream}, ...)
//   csrc/CMakeLists.txt, list RENDERER_CUDA_SOURCES: cuda/name.cu (it goes into renderer._cuda, and into the test-only renderer._cuda_emulated)
//   csrc/cuda/bindings.cpp: one line an op
// Static shared memory is __shared__ T x[n]; dynamic shared memory is T* x = dynamic_shared<T>(), of the bytes given at launch.
// A size in grid or block of 0 launches nothing: an empty mesh needs no special case.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

// A device function of its own, the same instructions wherever it is called.
#define RNDR_DEVICE_NOINLINE __device__ __noinline__

namespace rndr {

constexpr int kMostGridRows = 65535;  // the largest grid in y and z

struct Launch {
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
};

template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), const Launch& l, const Args&... args) {
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) return;
  kernel<<<l.grid, l.block, l.shared_bytes, l.stream>>>(args...);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw std::runtime_error(std::string("CUDA: a kernel was not launched: ") + cudaGetErrorString(error));
}

template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char rndr_dynamic_shared[];
  return reinterpret_cast<T*>(rndr_dynamic_shared);
}

}  // namespace rndr

#else
#include "support/cuda_emulation.h"
#endif

#include "support/macros.h"

namespace rndr {

// Blocks of `size` threads that hold `count` of them, along x.
inline unsigned blocks_for(long long count, int size) {
  const long long blocks = (count + size - 1) / size;
  if (blocks > 0x7fffffff) throw std::runtime_error("CUDA: " + std::to_string(blocks) + " blocks are more than one launch takes (2147483647)");
  return static_cast<unsigned>(blocks);
}

// Blocks along y or z for so many rows; where there are more rows than blocks, a block goes on to the row gridDim further.
inline unsigned grid_rows(long long rows) { return static_cast<unsigned>(rows < kMostGridRows ? rows : kMostGridRows); }

}  // namespace rndr
