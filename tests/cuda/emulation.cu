// Kernels that try out the emulation itself; tests/cuda/test_emulation.py compiles and runs them.
#include <cstdio>
#include <vector>

#include "support/cuda.h"

using namespace rndr;

#define EXPECT(condition) \
  if (!(condition)) return std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition), 1

// Sum of each block's part, by a tree in shared memory.
template <int threads>
__global__ void block_sums(const int* in, int n, int* out) {
  __shared__ int part[threads];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  part[threadIdx.x] = i < n ? in[i] : 0;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < half) part[threadIdx.x] += part[threadIdx.x + half];
  }
  if (threadIdx.x == 0) out[blockIdx.x] = part[0];
}

__global__ void histogram(const int* in, int n, int bins, int* out) {
  int* count = dynamic_shared<int>();
  for (int b = threadIdx.x; b < bins; b += blockDim.x) count[b] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&count[in[i] % bins], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < bins; b += blockDim.x) atomicAdd(&out[b], count[b]);
}

__global__ void votes(int* out) {
  const int thread = threadIdx.x + blockDim.x * threadIdx.y;
  const int some = __syncthreads_count(thread % 3 == 0), any = __syncthreads_or(thread == 5), all = __syncthreads_and(thread != 5);
  out[thread] = some * 100 + any * 10 + all;
}

__global__ void misses_a_barrier() {
  if (threadIdx.x < 7) __syncthreads();
}

__global__ void two_barriers() {
  if (threadIdx.x < 7)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void overrun(int index) {
  int* shared = dynamic_shared<int>();
  shared[index] = 1;
}

bool fails(void (*kernel)()) {
  try {
    launch(kernel, {2, 16, 0, nullptr});
  } catch (const std::runtime_error& e) {
    std::printf("%s\n", e.what());
    return true;
  }
  return false;
}

int main(int argc, char**) {
  if (argc > 1) launch(overrun, {1, 1, 16, nullptr}, 4);  // for the sanitizer to find
  std::vector<int> in(1000), out(8, -1), count(10, 0), vote(12);
  for (int i = 0; i < 1000; ++i) in[i] = i;
  launch(block_sums<128>, {8, 128, 0, nullptr}, in.data(), 1000, out.data());
  for (int b = 0; b < 8; ++b) {
    int sum = 0;
    for (int i = 128 * b; i < 128 * (b + 1) && i < 1000; ++i) sum += i;
    EXPECT(out[b] == sum);
  }
  launch(histogram, {3, 64, 10 * sizeof(int), nullptr}, in.data(), 1000, 10, count.data());
  for (int c : count) EXPECT(c == 300);
  launch(votes, {1, dim3(4, 3), 0, nullptr}, vote.data());
  for (int v : vote) EXPECT(v == 410);
  EXPECT(fails(misses_a_barrier));
  EXPECT(fails(two_barriers));
  launch(votes, {1, dim3(4, 3), 0, nullptr}, vote.data());  // still works after a failure
  for (int v : vote) EXPECT(v == 410);
  launch(votes, {dim3(0), dim3(4, 3), 0, nullptr}, static_cast<int*>(nullptr));  // an empty grid
  std::printf("passed\n");
}
