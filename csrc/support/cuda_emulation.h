// CUDA kernels on the CPU, for tests: g++ compiles the .cu files themselves and runs them block by block.
//
// The threads of a block are fibres that run one at a time and change over only at barriers, so shared memory is plain memory and atomics
// are plain arithmetic. A thread that no barrier stops needs no fibre of its own: the next thread starts where it ended.
// What the hardware would leave undefined is an error here: a barrier that some threads of a block miss, or two different barriers at
// once. AddressSanitizer knows the fibres, and bounds of static and dynamic shared memory are checked as those of any array.
// Races show as results that depend on the order of threads and blocks: RENDERER_EMULATION_ORDER=reverse turns it around.
//
// Include support/cuda.h, not this file; its head tells how to add a kernel.
#pragma once
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define RNDR_DEVICE_NOINLINE __attribute__((noinline))
// Blocks run one after another, so one copy serves them all.
#define __shared__ static
#define __syncthreads() rndr::emulation::Engine::get().barrier(__FILE__, __LINE__, false)
#define __syncthreads_count(predicate) rndr::emulation::Engine::get().barrier(__FILE__, __LINE__, (predicate) != 0)
#define __syncthreads_or(predicate) (__syncthreads_count(predicate) > 0)
#define __syncthreads_and(predicate) (__syncthreads_count((predicate) == 0) == 0)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct CUstream_st;  // CUDA's own name, so that g++ may compile callers of what nvcc compiled
using cudaStream_t = CUstream_st*;

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

template <class T>
inline T atomicAdd(T* address, std::common_type_t<T> value) {
  const T old = *address;
  *address = T(old + value);
  return old;
}
template <class T>
inline T atomicMin(T* address, std::common_type_t<T> value) {
  const T old = *address;
  *address = std::min(old, value);
  return old;
}
template <class T>
inline T atomicMax(T* address, std::common_type_t<T> value) {
  const T old = *address;
  *address = std::max(old, value);
  return old;
}
template <class T>
inline T atomicOr(T* address, std::common_type_t<T> value) {
  const T old = *address;
  *address = T(old | value);
  return old;
}
template <class T>
inline T atomicExch(T* address, std::common_type_t<T> value) {
  const T old = *address;
  *address = value;
  return old;
}
template <class T>
inline T atomicCAS(T* address, std::common_type_t<T> expected, std::common_type_t<T> value) {
  const T old = *address;
  if (old == expected) *address = value;
  return old;
}
inline void __threadfence() {}
inline void __threadfence_system() {}
inline void cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t) { std::memset(address, value, bytes); }

namespace rndr {

constexpr int kMostGridRows = 100;  // in y and z; on a device 65,535: a test can go beyond this one

struct Launch {
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
};

namespace emulation {

constexpr size_t kStack = 256 * 1024;     // reserved for each fibre; the system backs what is touched
constexpr int kMostThreads = 1024;        // in a block, as on the device
constexpr size_t kMostShared = 48 * 1024; // bytes a block may ask for without opting in to more

// One place where a thread runs, with a stack of its own.
struct Fibre {
  ucontext_t context;
  void* stack;
  void* shadow = nullptr;  // AddressSanitizer's state while the fibre is away
  int thread = -1;
  bool predicate = false;

  Fibre() : stack(mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (stack == MAP_FAILED) throw std::bad_alloc();
  }
  ~Fibre() { munmap(stack, kStack); }
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;
};

// A kernel with its arguments.
struct Body {
  virtual void run() const = 0;
  virtual ~Body() = default;
};

class Engine {
 public:
  static Engine& get() {
    static Engine engine;
    return engine;
  }

  void launch(const Launch& l, const Body& body) {
    const std::lock_guard<std::mutex> lock(mutex_);  // threadIdx and shared memory exist once
    const unsigned long threads = 1ul * l.block.x * l.block.y * l.block.z;
    if (threads == 0 || threads > kMostThreads) throw std::runtime_error("CUDA emulation: a block of " + std::to_string(threads) + " threads");
    if (l.shared_bytes > kMostShared) throw std::runtime_error("CUDA emulation: " + std::to_string(l.shared_bytes) + " bytes of shared memory");
    if (l.grid.y > kMostGridRows || l.grid.z > kMostGridRows)
      throw std::runtime_error("CUDA emulation: a grid of more than " + std::to_string(kMostGridRows) + " blocks along y or z");
    const char* order = std::getenv("RENDERER_EMULATION_ORDER");
    reverse_ = order && std::string(order) == "reverse";
    body_ = &body, block_ = l.block, count_ = static_cast<int>(threads);
    blockDim = l.block, gridDim = l.grid;
    const unsigned long blocks = 1ul * l.grid.x * l.grid.y * l.grid.z;
    for (unsigned long i = 0; i < blocks; ++i) {
      const unsigned long b = reverse_ ? blocks - 1 - i : i;
      blockIdx = dim3(b % l.grid.x, b / l.grid.x % l.grid.y, b / l.grid.x / l.grid.y);
      // New and not 0, so that overruns meet AddressSanitizer and what was never written shows.
      shared_.reset(new unsigned char[l.shared_bytes]);
      std::memset(shared_.get(), 0xff, l.shared_bytes);
      run_block();
    }
  }

  int barrier(const char* file, int line, bool predicate) {
    Fibre& self = *current_;
    self.predicate = predicate;
    if (waiting_.empty()) file_ = file, line_ = line;
    if (line_ != line || std::strcmp(file_, file) != 0)
      failure_ = std::string("threads of a block wait at different barriers: ") + file_ + ":" + std::to_string(line_) + " and " + file + ":" + std::to_string(line);
    waiting_.push_back(&self);
    leave(self);
    threadIdx = index_of(self.thread);
    return true_count_;
  }

  void* shared() const { return shared_.get(); }

 private:
  void run_block() {
    next_ = 0;
    waiting_.clear();
    failure_.clear();
    while (next_ < count_ && failure_.empty()) enter(fresh());
    while (!waiting_.empty() && failure_.empty()) {
      if (static_cast<int>(waiting_.size()) != count_) {
        failure_ = std::to_string(count_ - waiting_.size()) + " of " + std::to_string(count_) + " threads ended before the barrier at " + file_ + ":" + std::to_string(line_);
        break;
      }
      const std::vector<Fibre*> arrived = std::move(waiting_);
      waiting_.clear();
      const int predicates = static_cast<int>(std::count_if(arrived.begin(), arrived.end(), [](const Fibre* f) { return f->predicate; }));
      true_count_ = predicates;
      for (Fibre* fibre : arrived) enter(*fibre);
    }
    if (!failure_.empty()) {
      fibres_.clear(), free_.clear(), waiting_.clear();  // the abandoned fibres hold no resources
      throw std::runtime_error("CUDA emulation: " + failure_);
    }
  }

  Fibre& fresh() {
    if (free_.empty()) {
      fibres_.push_back(std::make_unique<Fibre>());
      Fibre& f = *fibres_.back();
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack;
      f.context.uc_stack.ss_size = kStack;
      f.context.uc_link = nullptr;
      makecontext(&f.context, &Engine::main, 0);
      free_.push_back(&f);
    }
    Fibre* fibre = free_.back();
    free_.pop_back();
    return *fibre;
  }

  // A fibre's life: threads one after another, until none is left; then it waits for the next block.
  static void main() {
    Engine& e = get();
    e.arrived(nullptr);
    for (;;) {
      Fibre& self = *e.current_;
      while (e.next_ < e.count_ && e.failure_.empty()) {
        const int turn = e.next_++;
        self.thread = e.reverse_ ? e.count_ - 1 - turn : turn;
        threadIdx = e.index_of(self.thread);
        e.body_->run();
      }
      e.free_.push_back(&self);
      e.leave(self);
    }
  }

  dim3 index_of(int thread) const {
    return dim3(thread % block_.x, thread / block_.x % block_.y, thread / block_.x / block_.y);
  }

  void enter(Fibre& fibre) {
    current_ = &fibre;
#if defined(__SANITIZE_ADDRESS__)
    void* shadow = nullptr;
    __sanitizer_start_switch_fiber(&shadow, fibre.stack, kStack);
#endif
    swapcontext(&scheduler_, &fibre.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(shadow, nullptr, nullptr);
#endif
  }
  void leave(Fibre& fibre) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fibre.shadow, scheduler_stack_, scheduler_size_);
#endif
    swapcontext(&fibre.context, &scheduler_);
    arrived(fibre.shadow);
  }
  // In a fibre, after each change to it.
  void arrived([[maybe_unused]] void* shadow) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(shadow, &scheduler_stack_, &scheduler_size_);
#endif
  }

  std::mutex mutex_;
  const Body* body_ = nullptr;
  dim3 block_;
  int count_ = 0, next_ = 0, true_count_ = 0, line_ = 0;
  bool reverse_ = false;
  const char* file_ = "";
  std::string failure_;
  ucontext_t scheduler_;
  [[maybe_unused]] const void* scheduler_stack_ = nullptr;
  [[maybe_unused]] size_t scheduler_size_ = 0;
  Fibre* current_ = nullptr;
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> free_, waiting_;
  std::unique_ptr<unsigned char[]> shared_;
};

template <class Call>
struct BodyOf : Body {
  explicit BodyOf(const Call& c) : call(c) {}
  void run() const override { call(); }
  const Call& call;
};

}  // namespace emulation

template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), const Launch& l, const Args&... args) {
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) return;
  const auto call = [&] { kernel(args...); };
  emulation::Engine::get().launch(l, emulation::BodyOf<decltype(call)>(call));
}

template <class T>
inline T* dynamic_shared() {
  return static_cast<T*>(emulation::Engine::get().shared());
}

}  // namespace rndr
